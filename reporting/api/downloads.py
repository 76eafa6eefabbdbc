"""Downloads: what the jobs made, and the files of a ``file://`` lake."""

from collections.abc import Iterator
from typing import cast

from django.contrib.auth.models import User
from django.core import signing
from django.http import HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.views import APIView

from reporting.feeds import FEEDS, Feed
from reporting.lake import storage
from reporting.models import AuditEntry, ExportRun
from smplat.lib.access import Operator


class NothingYet(APIException):
    """There is no successful export to serve."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "There is no successful export yet."


class ArtifactView(APIView):
    """Streams the object of a feed's last successful run."""

    permission_classes = (Operator,)
    required_permission = "reporting.export_data"
    feed: Feed = FEEDS["quick_order"]

    def get(self, request: Request) -> HttpResponseBase:
        """Stream the object, or answer 503 while there is none."""
        run = ExportRun.objects.newest_artifact_of_each_feed().filter(feed=self.feed.key).first()
        if run is None:
            raise NothingYet
        answer = object_response(run)
        operator, action = cast(User, request.user), AuditEntry.Action.DOWNLOAD_OBJECT
        AuditEntry.objects.record(operator, action, run.feed, run=str(run.pk))
        return answer


def object_response(run: ExportRun) -> HttpResponseBase:
    """A download of the object that ``run`` wrote, byte for byte.

    Raises:
        NothingYet: the object cannot be read; the answer says so without a traceback.
    """
    try:
        content = storage.read(run.object_uri)
    except storage.LakeError as error:
        raise NothingYet(f"The export cannot be served: {error}.") from error
    response = attachment(content, run.object_uri.rpartition("/")[2])
    response["Content-Length"] = str(run.bytes)
    return response


def lake_file(request: HttpRequest, token: str) -> HttpResponseBase:
    """Serve a file of a ``file://`` lake to whoever holds a signed URL that has not expired."""
    try:
        uri = storage.uri_of_token(token)
        return attachment(storage.read(uri), uri.rpartition("/")[2])
    except signing.SignatureExpired:
        return JsonResponse({"detail": "This link has expired."}, status=status.HTTP_403_FORBIDDEN)
    except signing.BadSignature:
        return JsonResponse({"detail": "This link is not valid."}, status=status.HTTP_403_FORBIDDEN)
    except storage.LakeError:
        return JsonResponse({"detail": "The file is no longer there."}, status=status.HTTP_404_NOT_FOUND)


def attachment(content: Iterator[bytes], name: str) -> StreamingHttpResponse:
    """A streamed NDJSON download that no cache keeps."""
    return StreamingHttpResponse(
        content,
        content_type="application/x-ndjson",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )
