"""Rows of an incremental feed: stored with a time that no reader has passed, and counted for the ledger."""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from reporting.accounting import ledger
from reporting.feeds import Feed
from reporting.feeds.fence import write_time
from reporting.feeds.shapes import Row, model_of


def insert(feed: Feed, make: Callable[[datetime], list[Row]], repeated: int = 0) -> None:
    """Insert rows in one transaction.

    Args:
        feed: the feed of the rows.
        make: returns the rows, by the names of the model's fields but for the time, which it is given.
        repeated: how many more were asked for and are left out, since they repeat others.
    """
    model = model_of(feed)
    with transaction.atomic(savepoint=False):
        at = write_time(model)
        rows = make(at)
        model.objects.bulk_create([model(**row, **{feed.time_column: at}) for row in rows])
        ledger.note(model, received=len(rows) + repeated, accepted=len(rows), duplicates=repeated)
