"""Makes the warehouse's tables, and brings those of earlier versions up to date."""

from collections.abc import Iterable

from reporting.feeds import Feed
from reporting.warehouse.schema import ddl
from reporting.warehouse.targets import Target, execute_all

_REQUIRED = (
    "SELECT LOWER(column_name) FROM information_schema.columns "
    "WHERE LOWER(table_schema || '.' || table_name) = ? AND is_nullable = 'NO'"
)


def make(target: Target, feeds: Iterable[Feed]) -> None:
    """Make the tables that are missing, and let columns be NULL that may be so by now.

    Raises:
        reporting.warehouse.targets.TargetError: the warehouse cannot be used.
    """
    feeds = list(feeds)
    execute_all(target, ddl(target.dialect, feeds))
    for feed in feeds:
        required = {name for (name,) in target.execute(_REQUIRED, [feed.table])}
        relaxed = [column.name for column in feed.columns if column.nullable and column.name in required]
        execute_all(target, [f"ALTER TABLE {feed.table} ALTER COLUMN {name} DROP NOT NULL" for name in relaxed])
