"""Typed reading of settings from the environment.

Every reader names the setting in its error and says what is allowed, and collects the errors, so that one start
reports everything that is wrong with the environment.
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from smplat.lib.addresses import _BUCKET, is_lake_uri, is_url, is_warehouse_url


class Environment:
    """Reads settings out of ``variables``; call :meth:`finish` when all are read.

    An empty value counts as unset, so that a line ``NAME=`` in an env file does no harm.
    """

    def __init__(self, variables: Mapping[str, str], sources: Mapping[str, str] | None = None) -> None:
        """Read ``variables``; ``sources`` has the names that people set, where they differ from the settings' own."""
        self._variables = variables
        self._sources = sources or {}
        self._errors: list[str] = []
        self.names_read: set[str] = set()

    def refuse(self, name: str, problem: str) -> None:
        """Record that setting ``name`` has ``problem``; the start stops at :meth:`finish`."""
        source = f" (from {self._sources[name]})" if name in self._sources else ""
        self._errors.append(f"{name}{source}: {problem}")

    def finish(self) -> None:
        """Raise ImproperlyConfigured with every recorded problem, if there is any."""
        if self._errors:
            raise ImproperlyConfigured("; ".join(self._errors))

    def string(self, name: str, default: str = "") -> str:
        """The value of ``name`` without surrounding white space."""
        self.names_read.add(name)
        return self._variables.get(name, "").strip() or default

    def string_list(self, name: str, default: tuple[str, ...] = ()) -> list[str]:
        """A comma-separated list; empty items are dropped."""
        return [word for word in map(str.strip, self.string(name, ",".join(default)).split(",")) if word]

    def boolean(self, name: str, default: bool = False) -> bool:
        """A yes or no."""
        value = self.string(name).lower()
        if value in {"1", "true", "yes", "on"}:
            return True
        if value in {"0", "false", "no", "off"}:
            return False
        if value:
            self.refuse(name, f"{value!r} is neither true nor false")
        return default

    def integer(self, name: str, default: int, minimum: int, maximum: int) -> int:
        """An integer from ``minimum`` to ``maximum``."""
        value = self.string(name, str(default))
        if re.fullmatch(r"-?[0-9]{1,18}", value) and minimum <= int(value) <= maximum:
            return int(value)
        self.refuse(name, f"{value!r} is not a whole number from {minimum} to {maximum}")
        return default

    def choice(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        """One of ``allowed``, in any case of letters."""
        value = self.string(name, default).upper()
        if value not in allowed:
            self.refuse(name, f"{value!r} is not one of {', '.join(allowed)}")
        return value

    def url(self, name: str, default: str = "", schemes: tuple[str, ...] = ("http", "https")) -> str:
        """An absolute URL with a host. The value itself stays out of the error: it may carry a secret."""
        value = self.string(name, default)
        if value and not is_url(value, schemes):
            self.refuse(name, f"must be an absolute URL starting with {' or '.join(f'{s}://' for s in schemes)}")
        return value

    def shown_url(self, name: str, default: str = "") -> str:
        """An http(s) URL that people get to see in links; one that carries a user or a password is refused."""
        value = self.url(name, default)
        if "@" in urlsplit(value).netloc:
            self.refuse(name, "must not carry a user or a password, since links show it")
        return value

    def database_url(self, name: str) -> str:
        """A PostgreSQL URL; a host is not needed, since a Unix socket has none. The value may carry a password.

        The driver in a URL of SQLAlchemy (``postgresql+asyncpg://``), which the replaced system had, is left out.
        """
        scheme, separator, rest = self.string(name).partition("://")
        value = f"{scheme.partition('+')[0]}{separator}{rest}"
        parts = urlsplit(value)
        if value and not (parts.scheme in {"postgres", "postgresql"} and parts.path.strip("/")):
            self.refuse(name, "must be postgresql://user:password@host:port/database; no other database is supported")
            return ""
        return value

    def origins(self, name: str) -> list[str]:
        """A comma-separated list of web origins such as ``https://shop.example``."""
        values = self.string_list(name)
        for number, value in enumerate(values, 1):
            if not is_url(value, ("http", "https")) or urlsplit(value)[2:] != ("", "", "") or "@" in value:
                self.refuse(name, f"number {number} of them is not an origin such as https://shop.example")
        return values

    def lake_uri(self, name: str, default: str = "") -> str:
        """``s3://bucket/key`` or ``file:///absolute/path``. The value stays out of the error: it may carry a key."""
        value = self.string(name, default).rstrip("/")
        if value and not is_lake_uri(value):
            self.refuse(name, "must be s3://bucket/key or file:///absolute/path")
        return value

    def alert_urls(self, name: str) -> list[str]:
        """A comma-separated list of addresses for alerts: ``mailto:``, http(s), or one of Apprise's services."""
        values = self.string_list(name)
        for number, value in enumerate(values, 1):
            is_mail = value.startswith("mailto:") and "@" in value
            if not (is_mail or re.fullmatch(r"[a-z][a-z0-9+.-]{0,31}://\S+", value)):
                self.refuse(name, f"number {number} of them is not mailto:…, https://… or an address of Apprise's")
        return values

    def email(self, name: str) -> dict[str, str | int | bool]:
        """Django's settings of a mail server: ``smtp://user:password@host:port``, or ``smtps://`` for TLS at once.

        Over ``smtp://``, STARTTLS is used where there is a user and the port is not 25.
        """
        value = self.string(name)
        if not value:
            return {}
        if not is_url(value, ("smtp", "smtps")):
            self.refuse(name, "must be smtp://user:password@host:port or smtps://…")
            return {}
        parts = urlsplit(value)
        port = parts.port or (465 if parts.scheme == "smtps" else 25)
        return {
            "EMAIL_HOST": parts.hostname or "",
            "EMAIL_PORT": port,
            "EMAIL_HOST_USER": unquote(parts.username or ""),
            "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
            "EMAIL_USE_SSL": parts.scheme == "smtps",
            "EMAIL_USE_TLS": parts.scheme == "smtp" and port != 25 and bool(parts.username),
        }

    def warehouse_url(self, name: str) -> str:
        """A DuckDB file or a Snowflake database. The value itself stays out of the error: it may carry a password."""
        value = self.string(name)
        if value and not is_warehouse_url(value):
            self.refuse(name, "must be duckdb:///absolute/path or snowflake://user:password@account/database")
        return value

    def bucket(self, name: str) -> str:
        """The name of an S3 bucket, without a scheme."""
        value = self.string(name)
        if value and not _BUCKET.fullmatch(value):
            self.refuse(name, "must be a bucket name (3 to 63 of a-z, 0-9, dot and hyphen; no s3://)")
        return value
