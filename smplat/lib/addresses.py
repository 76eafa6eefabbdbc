"""Forms of addresses that settings and flags take."""

import re
from urllib.parse import unquote, urlsplit

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
# Parts of an address that are at least as long may be secrets.
_MIN_SECRET_LENGTH = 8
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def is_lake_uri(value: str) -> bool:
    """Whether ``value`` is ``s3://bucket/key`` or ``file:///absolute/path``."""
    parts = urlsplit(value)
    if parts.scheme == "s3":
        return _BUCKET.fullmatch(parts.netloc) is not None
    return parts.scheme == "file" and not parts.netloc and parts.path.startswith("/")


def is_warehouse_url(value: str) -> bool:
    """Whether ``value`` is ``duckdb:///absolute/path`` or ``snowflake://user:password@account/database``."""
    try:
        parts = urlsplit(value)
        if parts.scheme == "duckdb":
            return not parts.netloc and len(parts.path) > 1 and not parts.path.endswith("/")
        has_database = bool(parts.path.strip("/"))
        return parts.scheme == "snowflake" and bool(parts.username) and bool(parts.hostname) and has_database
    except ValueError:
        return False


def is_url(value: str, schemes: tuple[str, ...]) -> bool:
    """Whether ``value`` is an absolute URL with one of ``schemes`` and a host."""
    try:
        parts = urlsplit(value)
        return parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def origin_of(url: str) -> str:
    """The scheme, host and port of ``url``, which name it without a secret that its other parts may be."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def without_secrets(text: str, url: str) -> str:
    """``text`` without any part of ``url`` that may be a secret; some servers repeat the address in their errors."""
    parts = urlsplit(url)
    pieces = re.split(r"[/?&=:@#]", f"{parts.path}?{parts.query}#{parts.fragment}@{parts.netloc.rpartition('@')[0]}")
    for piece in sorted({*pieces, *map(unquote, pieces)}, key=len, reverse=True):
        if len(piece) >= _MIN_SECRET_LENGTH:
            text = text.replace(piece, "…")
    return text
