"""What strangers write where a page, a message or a file shows it, and a reader that finds what came of it."""

import json
import re
from html.parser import HTMLParser

#: Stands in every hostile string, so that whatever comes of one can be told from the desk's own markup.
MARK = "evilmark"
#: Markup that leaves an attribute, a script, a title, a text area and a comment behind it; and a template's own syntax.
MARKUP = (
    f"{MARK}\"'`><{MARK} on{MARK}=1><img src=x on{MARK}=1></script></title></textarea>--><{MARK}>{{{{7}}}}{{% x %}}"
)
SCRIPT_URL = f"javascript:{MARK}()"
#: Attributes that hold an address, and those whose value a script library of the theme runs.
_ADDRESSES = {"href", "src", "action", "formaction", "data", "poster", "xlink:href", "hx-get", "hx-post"}
_RUN = re.compile(r"on|x-|@|:|hx-on|hx-vals|hx-vars|hx-headers|style$|srcdoc$")


class _Reader(HTMLParser):
    """Reads a page as a browser does, and notes what a hostile string has come to."""

    def __init__(self) -> None:
        super().__init__()
        self.harm: list[str] = []
        self._raw = ""
        self._data = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._raw = tag if tag in ("script", "style") and ("type", "application/json") not in attrs else ""
        self._data = tag if tag == "script" and not self._raw else ""
        if MARK in tag:
            self.harm.append(f"an element: {tag}")
        for name, value in attrs:
            if is_harmful(name, value or ""):
                self.harm.append(f"an attribute of {tag}: {name}={value}")

    def handle_endtag(self, tag: str) -> None:
        self._raw = self._data = ""

    def handle_data(self, data: str) -> None:
        if self._raw and MARK in data:
            self.harm.append(f"{self._raw}: {data[:200]}")
        if self._data:
            json.loads(data)


def is_harmful(attribute: str, value: str) -> bool:
    """Whether an attribute was made by a hostile string, or lets one run."""
    if MARK in attribute:
        return True
    if attribute in _ADDRESSES and re.match(r"[a-z+.-]*script:|data:(?!image/)", re.sub(r"[\0-\x20]", "", value), re.I):
        return True
    return MARK in value and _RUN.match(attribute) is not None


def harm_of(html: str) -> list[str]:
    """What hostile strings have come to in a page, beyond text."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.harm
