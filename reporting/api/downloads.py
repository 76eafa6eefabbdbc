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
from smplat.lib.access import Operator
from smplat.lib.openapi import NDJSON, error


class NoExportYetError(APIException):
    """There is no successful export to serve."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "There is no successful export yet."


class ArtifactView(FeedView):
    """Streams the object of a feed's last successful run."""

    permission_classes = (Operator,)
    required_permission = "reporting.export_data"

    def get(self, request: Request) -> HttpResponseBase:
        """Stream the object, or answer 503 while there is none."""
        run = ExportRun.objects.newest_artifact_of_each_feed().filter(feed=self.feed.key).first()
        if run is None:
            raise NoExportYetError
        try:
            answer = artifact(run)
        except storage.LakeError as error:
            raise NoExportYetError(f"The export cannot be served: {error}.") from error
        operator, action = cast(User, request.user), AuditEntry.Action.DOWNLOAD_OBJECT
        AuditEntry.objects.log(operator, action, run.feed, run=str(run.pk))
        return answer

    def describe(self) -> Description:
        return extend_schema(
            operation_id=f"download_{self.feed.key}_export",
            tags=["Downloads"],
            summary=f"Download the last export: {self.feed.label}",
            responses={
                (200, NDJSON): OpenApiResponse(
                    object_row(self.feed), "The object of the last successful run, byte for byte."
                ),
                503: error("No run was successful so far.", "There is no successful export yet."),
            },
            # The API key opens these to nobody: they are pages of operators.
            auth=[{"Session": []}],  # type: ignore[list-item]
        )


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
