"""What a feed is: the declarations, and how rows travel from the database into shapes, lines and CSV."""

from reporting.feeds.declared import FEEDS, WINDOW_FEEDS, feed_choices
from reporting.feeds.definition import Column, ColumnType, Feed, WireField

__all__ = ["FEEDS", "WINDOW_FEEDS", "Column", "ColumnType", "Feed", "WireField", "feed_choices"]
