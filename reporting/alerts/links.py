"""Addresses of the desk's pages, as messages and stored rows hold them."""

from urllib.parse import quote, urlencode

from django.conf import settings

#: The anchor of the conversions in links for people outside of the page; those of the replaced system have it too.
CONVERSIONS_ANCHOR = "experiment-analytics"


def conversions_url(cursor: str | None = None, as_of: int | None = None) -> str:
    """The conversions on the desk.

    Args:
        cursor: the slug after which they begin; None for all experiments.
        as_of: the position of the last assignment that counts; None for live counts.
    """
    given = {"conversionCursor": cursor, "asOf": as_of}
    query = urlencode({name: value for name, value in given.items() if value is not None}, quote_via=quote, safe="")
    return f"{settings.PUBLIC_BASE_URL}/admin/reports{f'?{query}' if query else ''}#{CONVERSIONS_ANCHOR}"
