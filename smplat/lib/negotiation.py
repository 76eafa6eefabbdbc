"""Which of a view's media types an answer has."""

from collections.abc import Iterable
from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class OneMediaType(DefaultContentNegotiation):
    """Answers with the one media type that a view has, whatever ``Accept`` says.

    A window export is NDJSON and its errors are JSON, so that a client which asks for just one of the two would get a
    406 instead of rows. RFC 9110, section 12.5.1, lets a server disregard the header.
    """

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[Any, str]:
        renderer: Any = next(iter(renderers))
        return renderer, renderer.media_type
