"""Bodies of errors, which on some routes hold a sentence more: web clients of the replaced system read ``error``."""

from typing import Any

_CAPTURE = "/api/telemetry"
_BELOW = (f"{_CAPTURE}/", "/api/reporting/")


def is_read_as_error(path: str) -> bool:
    """Whether clients of the route at ``path`` read ``error``."""
    return path == _CAPTURE or path.startswith(_BELOW)


def error_body(path: str, body: Any) -> Any:
    """The body of an error of the route at ``path``.

    Args:
        path: the path of the request.
        body: what REST framework would answer: ``detail``, or the names of fields.

    Returns:
        The same; where clients read it, with ``error``, a sentence that names the first field.
    """
    if not (isinstance(body, dict) and body and is_read_as_error(path)):
        return body
    return {"error": _sentence(*next(iter(body.items()))), **body}


def _sentence(name: str, problem: Any) -> str:
    while isinstance(problem, list) and problem:
        problem = problem[0]
    return str(problem) if name == "detail" else f"{name}: {problem}"
