"""Links back to the page on show."""

from django.http import HttpRequest


def page_link(request: HttpRequest, section: str = "", **changes: str | None) -> str:
    """A link to the page on show with another query.

    Args:
        request: the request of the page, whose other parameters the link keeps.
        section: the id of the part of the page to go to.
        changes: parameters to set; None takes one out.
    """
    query = request.GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value is not None:
            query[name] = value
    return f"{request.path}?{query.urlencode()}{f'#{section}' if section else ''}"
