"""What is wrong with an answer, and whether the memory of a server grows."""

from collections.abc import Sequence

from tests.fuzz.client import Answer
from tests.fuzz.requests import Request

MAX_SECONDS = 2.0
#: By how much the memory may grow in the second half of a run, as the line through its samples has it.
MAX_GROWTH_BYTES = 32 * 1_048_576
_API = ("/api/", "/lake/")
# A page by its nature.
_DOCS = "/api/docs/"
# What readiness says where a part of a busy machine does not answer in its time.
_HONEST = ("/readyz", 503)
SLOW = f"slower than {MAX_SECONDS:.0f} s"


def problem_of(request: Request, answer: Answer) -> str | None:
    """What is wrong with ``answer``, None where nothing is; how long it took aside."""
    if answer.status == 0:
        return "no answer"
    if answer.status >= 500 and (request.path, answer.status) != _HONEST:
        return f"status {answer.status}"
    if _is_html(answer) and request.path.startswith(_API) and request.path != _DOCS:
        return "HTML from the API"
    return None


def is_slow(answer: Answer) -> bool:
    """Whether it took too long; on a busy machine only a repetition without other load tells."""
    return answer.seconds > MAX_SECONDS


def growth(samples: Sequence[tuple[float, int]]) -> float:
    """By how many bytes the memory grew in the second half of ``samples``: the slope of the line through it, times its
    length (least squares).

    Args:
        samples: time, or number of requests, and bytes; in order.
    """
    half = samples[len(samples) // 2 :]
    if len(half) < 2:
        return 0.0
    mean_x = sum(x for x, _ in half) / len(half)
    mean_y = sum(y for _, y in half) / len(half)
    spread = sum((x - mean_x) ** 2 for x, _ in half)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in half) / spread if spread else 0.0
    return slope * (half[-1][0] - half[0][0])


def leaks(samples: Sequence[tuple[float, int]]) -> bool:
    """Whether the memory grew by more than is allowed."""
    return growth(samples) > MAX_GROWTH_BYTES


def _is_html(answer: Answer) -> bool:
    head = answer.start.lstrip()[:15].lower()
    return "html" in answer.content_type.lower() or head.startswith((b"<!doctype", b"<html"))
