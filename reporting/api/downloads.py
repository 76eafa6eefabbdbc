"""Downloads: what the jobs made, and the files of a ``file://`` lake."""

from typing import cast

from django.contrib.auth.models import User
from django.core import signing
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from reporting.api.answers import object_row
from reporting.api.feed_views import Description, FeedView
from reporting.exports.artifacts import artifact, attachment
from reporting.lake import storage
from reporting.models import AuditEntry, ExportRun
from smplat.lib import conditional, openapi
from smplat.lib.access import Operator


class NoExportYetError(APIException):
    """There is no successful export to serve."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "There is no successful export yet."


class ArtifactView(FeedView):
    """Streams the object of a feed's last successful run."""

    permission_classes = (Operator,)
    required_permission = "reporting.export_data"

    def get(self, request: Request) -> HttpResponseBase:
        """Stream the object unless the client has it already, or answer 503 while there is none."""
        run = ExportRun.objects.newest_artifact_of_each_feed().filter(feed=self.feed.key).first()
        if run is None:
            raise NoExportYetError
        # An object never changes, and no other run writes it.
        return conditional.answer(request, run.object_uri, lambda: _download(run, cast(User, request.user)))

    def describe(self) -> Description:
        return extend_schema(
            operation_id=f"download_{self.feed.key}_export",
            tags=["Downloads"],
            parameters=openapi.conditional([]),
            summary=f"Download the last export: {self.feed.label}",
            responses={
                (200, openapi.NDJSON): OpenApiResponse(
                    object_row(self.feed), "The object of the last successful run, byte for byte."
                ),
                304: openapi.UNCHANGED,
                503: openapi.error("No run was successful so far.", "There is no successful export yet."),
            },
            # The API key opens these to nobody: they are pages of operators.
            auth=[{"Session": []}],  # type: ignore[list-item]
        )


def _download(run: ExportRun, operator: User) -> HttpResponseBase:
    try:
        answer = artifact(run)
    except storage.LakeError as error:
        raise NoExportYetError(f"The export cannot be served: {error}.") from error
    AuditEntry.objects.log(operator, AuditEntry.Action.DOWNLOAD_OBJECT, run.feed, run=str(run.pk))
    return answer


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
