"""`make fuzz`: hostile requests at a desk of its own, and a report in docs/fuzzing.md."""

import argparse
import sys
import tempfile
from pathlib import Path
from random import SystemRandom

from tests import ROOT
from tests.fuzz.report import failures, report
from tests.fuzz.running import Plan, Run, made
from tests.fuzz.target import target
from tests.fuzz.verdicts import leaks

_REQUESTS = 100_000
_REPORT = ROOT / "docs" / "fuzzing.md"


def main() -> int:
    """Run, print the report and write it; return the exit code."""
    plan = _plan()
    with tempfile.TemporaryDirectory() as folder, target(Path(folder) / "var", plan.seed) as desk:
        sys.stderr.write(f"Seed {plan.seed}; fuzzing {desk.desk.url}.\n")
        run = Run(plan, desk.access, lambda number: made(plan.seed, number, desk.known), desk.plant, desk.memory)
        outcome = run.carry_out()
        has_lost = desk.has_lost_processes()
        text = report(plan, outcome)
        _REPORT.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{text}\n{failures(outcome, desk.access)}\n")
    if has_lost:
        sys.stdout.write("A web process died.\n")
    return int(bool(outcome.failures) or has_lost or leaks(outcome.memory))


def _plan() -> Plan:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, help=f"how many; {_REQUESTS:,} unless --minutes is given")
    parser.add_argument("--minutes", type=float, help="how long, whatever the number of requests")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6), help="repeats an earlier run")
    given = parser.parse_args()
    requests = given.requests or (None if given.minutes else _REQUESTS)
    return Plan(given.seed, requests, given.minutes and given.minutes * 60)


if __name__ == "__main__":
    sys.exit(main())
