"""Secrets that `make run` makes once and keeps in VAR_DIR, readable by their owner alone."""

import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

_MAKERS: dict[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(60),
    "CHECKOUT_API_KEY": lambda: secrets.token_urlsafe(32),
    "DJANGO_SUPERUSER_PASSWORD": lambda: secrets.token_urlsafe(12),
}


def read(var_dir: Path) -> dict[str, str]:
    """The secrets kept in ``var_dir``; empty where `make run` has made none."""
    try:
        content = json.loads((var_dir / "secrets.json").read_text())
    except FileNotFoundError:
        return {}
    return {name: str(value) for name, value in content.items()}


def ensure(var_dir: Path) -> dict[str, str]:
    """Make the secrets that ``var_dir`` lacks, and return all of them."""
    kept = read(var_dir)
    complete = {name: kept.get(name) or make() for name, make in _MAKERS.items()}
    if complete != kept:
        fresh = var_dir / "secrets.json.new"
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(complete, indent=2))
        os.replace(fresh, var_dir / "secrets.json")
    return complete
