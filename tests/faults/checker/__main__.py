"""``python -m tests.faults.checker``: injure a desk for some minutes, and say what was lost."""

import argparse
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests import ROOT
from tests.faults.checker import campaign, report
from tests.faults.checker.world import running_world

_DISK_LEFT_OUT = "disk of the database full: a small disk cannot be mounted here, which takes root"


def main() -> int:
    """Carry out a run, and write its page.

    Returns:
        The exit code: 0 when all is as promised, 1 when something is not.
    """
    options = _parser().parse_args()
    # Whoever ends the run ends the desk with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Ended by a signal."))
    with tempfile.TemporaryDirectory(prefix="smplat-faults-") as made:
        folder = Path(options.folder or made)
        folder.mkdir(parents=True, exist_ok=True)
        problems = _run(folder, options)
    for problem in problems:
        _say(f"NOT AS PROMISED: {problem}")
    _say(f"{'Failed' if problems else 'Nothing was lost'}; again by: --minutes {options.minutes} --seed {options.seed}")
    return 1 if problems else 0


def _run(folder: Path, options: argparse.Namespace) -> list[str]:
    beginning = time.monotonic()
    _say(f"Seed {options.seed}; everything lies in {folder}.")
    with running_world(folder, options.minutes) as world:
        left_out = () if world.small_disk else (_DISK_LEFT_OUT,)
        try:
            result = campaign.carry_out(
                world, options.seed, options.minutes * 60, lambda: time.monotonic() - beginning, _say
            )
        except BaseException:
            _say(f"The run broke off; its seed is {options.seed}.")
            raise
        campaign.write_history(world, result)
    Path(options.report).write_text(report.render(report.Run(options.seed, options.minutes, left_out), result))
    _say(f"Wrote {options.report}.")
    return result.problems


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.checker", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long faults come; default: 10")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="decides on everything drawn by lot")
    parser.add_argument("--report", default=str(ROOT / "docs" / "reliability.md"), help="where the page goes")
    parser.add_argument("--folder", help="where the logs and the history stay; default: they are thrown away")
    return parser


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
