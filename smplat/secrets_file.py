"""Secrets that `make run` makes once and keeps in VAR_DIR, readable by their owner alone."""

import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_MAKERS: dict[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(60),
    "CHECKOUT_API_KEY": lambda: secrets.token_urlsafe(32),
    "DJANGO_SUPERUSER_PASSWORD": lambda: secrets.token_urlsafe(12),
}


@dataclass(frozen=True)
class Secrets:
    """The secrets of a folder, those that the environment overrules included.

    Attributes:
        path: the file that keeps them.
        values: each by its setting's name.
        fresh: the names of those that were made by this start.
    """

    path: Path
    values: dict[str, str]
    fresh: frozenset[str]

    def told(self, name: str) -> str:
        """What to print of a secret: itself when it has just been made, and from then on the file that keeps it."""
        return self.values[name] if name in self.fresh else f"see {name} in {self.path}"


def read(var_dir: Path) -> dict[str, str]:
    """The secrets kept in ``var_dir``; empty where `make run` has made none."""
    try:
        content = json.loads(_path(var_dir).read_text())
    except FileNotFoundError:
        return {}
    return {name: str(value) for name, value in content.items()}


def ensure(var_dir: Path) -> Secrets:
    """Make the secrets that ``var_dir`` lacks, and return all of them."""
    kept = read(var_dir)
    complete = {name: kept.get(name) or make() for name, make in _MAKERS.items()}
    if complete != kept:
        fresh = var_dir / "secrets.json.new"
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(complete, indent=2))
        os.replace(fresh, _path(var_dir))
    return Secrets(_path(var_dir), complete, frozenset(name for name in complete if not kept.get(name)))


def _path(var_dir: Path) -> Path:
    return var_dir / "secrets.json"
