"""What a run would export if it started now, found with bounded work."""

from dataclasses import dataclass
from datetime import timedelta

from reporting.exports.sources.database import rows_of_job
from reporting.feeds import Feed
from reporting.models import Checkpoint

#: Rows are counted one by one up to here; what lies beyond is estimated from these.
MAX_COUNTED = 10_000
#: How long a preview waits for writers of the table; the run itself waits longer.
TIMEOUT = timedelta(milliseconds=500)


@dataclass(frozen=True)
class Preview:
    """What a run would export.

    Attributes:
        rows: how many rows.
        bytes: how many bytes they are as lines, which is estimated for the telemetry feeds.
        is_exact: whether all rows were counted.
        after: the position before the first row.
        until: the position of the last row.
    """

    rows: int
    bytes: int
    is_exact: bool
    after: int
    until: int


def preview(feed: Feed) -> Preview:
    """Count what a run of ``feed`` would export now, and estimate it beyond ``MAX_COUNTED`` rows.

    Raises:
        reporting.feeds.fence.FenceTimeoutError: writers of the table are under way; the message names them.
    """
    checkpoint = Checkpoint.objects.filter(pk=feed.key).first()
    whole = rows_of_job(feed, checkpoint.position if checkpoint else 0, TIMEOUT)
    counted = whole.first(MAX_COUNTED)
    size = counted.size(feed.lake_shape)
    if counted.until >= whole.until or size.last_position is None:
        return Preview(size.rows, size.bytes, True, whole.after, whole.until)
    # Positions are not dense: an event that came twice took two. The rows counted tell how dense they are.
    scale = (whole.until - whole.after) / (size.last_position - whole.after)
    return Preview(round(size.rows * scale), round(size.bytes * scale), False, whole.after, whole.until)
