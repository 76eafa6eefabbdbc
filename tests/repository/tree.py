"""The files of the repository, as git would commit them, whether or not git is at hand."""

import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from tests import ROOT


def committed_files() -> Iterator[Path]:
    """Every file that .gitignore does not leave out; it holds names and simple patterns alone."""
    patterns = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines() if line]
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name != ".git" and not _matches(name, patterns)]
        yield from (Path(folder, name) for name in names if not _matches(name, patterns))


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)
