"""Addresses of the desk's pages, as messages and stored rows hold them."""

from urllib.parse import quote

from django.conf import settings


def conversions_url(cursor: str | None = None) -> str:
    """The conversions on the desk: those after ``cursor``, or the live ones."""
    query = f"?conversionCursor={quote(cursor, safe='')}" if cursor is not None else ""
    return f"{settings.PUBLIC_BASE_URL}/admin/reports{query}#experiment-analytics"
