"""Compression of what is read: zstd or gzip, as ``Accept-Encoding`` asks for, made while an answer streams."""

import re

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django_http_compression.middleware import HttpCompressionMiddleware

#: A shorter answer fits into one packet as it is.
_MIN_BYTES = 1_024


class CompressionMiddleware(HttpCompressionMiddleware):
    """Compresses the texts that GET answers with; the base class chooses the coding and weakens tags.

    What POST answers stays as it is: capture learns from Django which headers its 202s have.

    Who can have pages of a signed-in operator made with texts of their own, and sees how many bytes the pages take on
    the way, could guess secrets in them (BREACH). The base class adds a header of random length to each, and Django
    masks the token of every form anew.
    """

    content_type_re = re.compile(r"(application/(json|x-ndjson)|text/(csv|html|plain))$")

    def maybe_compress(self, request: HttpRequest, response: HttpResponseBase) -> None:
        """Compress an answer where that is of use, and tell caches that others may get it in another coding."""
        if request.method not in {"GET", "HEAD"} or _is_short(response):
            return
        if response.status_code == 304 or self.content_type_re.match(_media_type(response)):
            patch_vary_headers(response, ["Accept-Encoding"])
        super().maybe_compress(request, response)


def _is_short(response: HttpResponseBase) -> bool:
    if not isinstance(response, HttpResponse):
        return False
    # A 304 has no content, and speaks of one that may be long.
    return response.status_code != 304 and len(response.content) < _MIN_BYTES


def _media_type(response: HttpResponseBase) -> str:
    return response.headers.get("Content-Type", "").partition(";")[0]
