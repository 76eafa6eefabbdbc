"""The feeds, one module each with its ``FEED``; a module that is put here needs no line elsewhere.

The column tables come from the customer's data lake reference.
"""

from importlib import import_module
from pkgutil import iter_modules

from reporting.feeds.definition import Feed

_found: list[Feed] = [import_module(f"{__name__}.{module.name}").FEED for module in iter_modules(__path__)]
#: Every feed by its key, in the order in which they are listed.
FEEDS: dict[str, Feed] = {feed.key: feed for feed in sorted(_found, key=lambda feed: feed.rank)}
WINDOW_FEEDS = tuple(feed for feed in FEEDS.values() if feed.window is not None)


def feed_choices() -> list[tuple[str, str]]:
    """Keys and labels, for model fields; as a function, it leaves labels out of the migrations."""
    return [(feed.key, feed.label) for feed in FEEDS.values()]
