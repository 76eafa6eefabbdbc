"""`make bench`: run every benchmark, or those named in ARGS, and print its ratios; `--write` keeps them as a page."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench import capture, churn, csv_files, exporting, fence, lists, pages, reading, report, start, warehouse
from bench.ratio import Ratio
from tests.e2e.desk import Desk

_BENCHMARKS = {
    "capture": capture.measure,
    "reading": reading.measure,
    "lists": lists.measure,
    "pages": pages.measure,
    "csv": csv_files.measure,
    "exporting": exporting.measure,
    "fence": fence.measure,
    "churn": churn.measure,
    "warehouse": warehouse.measure,
    "start": start.measure,
}


def main() -> None:
    """Start a desk of its own for each benchmark, and print what was measured."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("names", nargs="*", type=_known, help=f"{', '.join(_BENCHMARKS)}; all where none is named")
    parser.add_argument("--write", action="store_true", help=f"write {report.PAGE.name}")
    arguments = parser.parse_args()
    results = {name: list(_ratios(name)) for name in arguments.names or _BENCHMARKS}
    if arguments.write:
        report.write(results)
    sys.exit(0 if all(ratio.is_met for ratios in results.values() for ratio in ratios) else 1)


def _known(name: str) -> str:
    if name not in _BENCHMARKS:
        raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(_BENCHMARKS)}")
    return name


def _ratios(name: str) -> Iterator[Ratio]:
    """What a benchmark measures on a desk of its own; each ratio is printed as it comes."""
    with tempfile.TemporaryDirectory(prefix="smplat-bench-") as folder:
        desk = Desk(Path(folder) / "var", WEB_CONCURRENCY="").start()
        try:
            for ratio in _BENCHMARKS[name](desk):
                print(ratio, flush=True)
                yield ratio
        finally:
            desk.stop()


if __name__ == "__main__":
    main()
