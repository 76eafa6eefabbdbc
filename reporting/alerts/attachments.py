"""What was sent with a follow-up, as people read it: clients name the parts of an attachment in different ways."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

_NAMES = ("name", "fileName", "filename", "label", "id")
_LINKS = ("url", "href", "downloadUrl")
_MAX_NAME, _MAX_LINK = 100, 2_000


@dataclass(frozen=True)
class Attachment:
    """One attachment.

    Attributes:
        name: what it is called, unescaped.
        link: its http(s) address; empty for none.
        size: how many bytes it has, None where that is not known.
    """

    name: str
    link: str
    size: int | None


def shown(sent: Iterable[Any] | None) -> list[Attachment]:
    """The attachments of a follow-up, whatever the client sent for them."""
    return [_attachment(item if isinstance(item, dict) else {"name": item}) for item in sent or ()]


def _attachment(item: dict[str, Any]) -> Attachment:
    links = (
        link
        for link in _strings(item, _LINKS)
        if len(link) <= _MAX_LINK and re.match(r"https?://", link, re.IGNORECASE)
    )
    size = item.get("size")
    return Attachment(
        name=next(_strings(item, _NAMES), "attachment")[:_MAX_NAME],
        link=next(links, ""),
        size=size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
    )


def _strings(item: dict[str, Any], names: Iterable[str]) -> Iterator[str]:
    return (item[name] for name in names if isinstance(item.get(name), str) and item[name].strip())
