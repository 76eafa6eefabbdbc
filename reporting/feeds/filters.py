"""What a list of a feed's rows may be narrowed to, by the same rule in queries of REST and of pages."""

from dataclasses import dataclass
from typing import Any

from reporting.feeds import Feed
from reporting.feeds.cursors import Walk
from reporting.feeds.shapes import model_of


def is_storable(text: str, max_length: int) -> bool:
    """Whether ``text`` has 1 to ``max_length`` characters, none of them NUL, which PostgreSQL cannot hold."""
    return "\x00" not in text and 1 <= len(text) <= max_length


@dataclass(frozen=True)
class ColumnFilter:
    """Keeps a walk to the rows that hold one text in a column.

    Attributes:
        feed: the feed.
        column: the column, for which :attr:`reporting.feeds.cursors.Walk.within` asks for an index.
    """

    feed: Feed
    column: str

    @property
    def max_length(self) -> int:
        """How many characters the column holds."""
        field: Any = model_of(self.feed)._meta.get_field(self.column)
        return int(field.max_length)

    def accepts(self, text: str) -> bool:
        """Whether the column could hold ``text``."""
        return is_storable(text, self.max_length)

    def walk(self, text: str | None, is_ascending: bool = False) -> Walk:
        """The walk through the rows that hold ``text``; through all rows for None."""
        return Walk(self.feed, is_ascending, None if text is None else (self.column, text))
