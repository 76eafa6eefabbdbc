"""What a feed is: the declarations, and how rows travel from the database into shapes, lines and CSV.

The declarations load no model, since settings and schedule are built from them before Django's applications are there.
"""

from reporting.feeds.declarations import FEEDS, WINDOW_FEEDS, Column, ColumnType, Feed, WireField

__all__ = ["FEEDS", "WINDOW_FEEDS", "Column", "ColumnType", "Feed", "WireField"]
