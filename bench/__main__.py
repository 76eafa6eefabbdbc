"""`make bench`: run every benchmark, or those named as arguments, and print its ratios."""

import sys
import tempfile
from pathlib import Path

from bench import capture, csv_files, exporting, fence, lists, pages, reading
from tests.e2e.desk import Desk

_BENCHMARKS = {
    "capture": capture.measure,
    "reading": reading.measure,
    "lists": lists.measure,
    "pages": pages.measure,
    "csv": csv_files.measure,
    "exporting": exporting.measure,
    "fence": fence.measure,
}


def main() -> None:
    """Start a desk of its own for each benchmark, and print what was measured."""
    missed = 0
    for name in sys.argv[1:] or _BENCHMARKS:
        with tempfile.TemporaryDirectory(prefix="smplat-bench-") as folder:
            desk = Desk(Path(folder) / "var", WEB_CONCURRENCY="").start()
            try:
                for ratio in _BENCHMARKS[name](desk):
                    missed += not ratio.is_met
                    print(ratio, flush=True)
            finally:
                desk.stop()
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
