"""Downloads of what export runs have made."""

from collections.abc import Iterator

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from reporting.lake import storage
from reporting.models import ExportRun


def artifact(run: ExportRun) -> StreamingHttpResponse:
    """A download of the object that ``run`` wrote, byte for byte.

    Raises:
        reporting.lake.storage.LakeError: the object cannot be read.
    """
    response = attachment(storage.read(run.object_uri), run.object_uri.rpartition("/")[2])
    response["Content-Length"] = str(run.bytes)
    return response


def attachment(content: Iterator[bytes], name: str) -> StreamingHttpResponse:
    """A streamed NDJSON download that no cache keeps."""
    return StreamingHttpResponse(
        content,
        content_type="application/x-ndjson",
        headers={"Content-Disposition": str(content_disposition_header(True, name)), "Cache-Control": "no-store"},
    )
