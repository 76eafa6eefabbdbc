"""What is installed: every package by version and hash, looked up among vulnerabilities, and listed."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT

LOCKS = ["requirements.lock", "requirements-dev.lock"]
FORM = re.compile(r"([\w.-]+)==([\w.!+-]+)( ; .+?)?( --hash=sha256:[0-9a-f]{64})+")


def requirements(lock: str) -> list[str]:
    """The requirements of a lock, each on one line."""
    lines = (ROOT / lock).read_text().replace(" \\\n    ", " ").splitlines()
    return [line for line in lines if not line.lstrip().startswith("#")]


def pinned(lock: str) -> set[tuple[str, str]]:
    """Names and versions of a lock."""
    return {(found[1], found[2]) for line in requirements(lock) if (found := FORM.fullmatch(line))}


def recipe(target: str) -> str:
    """The commands of a target of the Makefile, for this environment's tools."""
    text: str = re.findall(rf"^{target}:.*\n\t@(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0]
    return text.replace("$(BIN)", str(Path(sys.executable).parent))


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_of_a_lock_is_a_version_with_its_hashes(lock):
    assert len(requirements(lock)) > 50
    assert [line for line in requirements(lock) if not FORM.fullmatch(line)] == []


def test_what_runs_is_what_is_tested():
    assert pinned("requirements.lock") <= pinned("requirements-dev.lock")


def test_the_audit_covers_both_locks_and_fails_for_what_it_cannot_look_up():
    command = recipe("audit").split()

    assert [command[position + 1] for position, word in enumerate(command) if word == "-r"] == LOCKS
    assert {"--strict", "--require-hashes", "--disable-pip"} <= set(command)


def test_the_audit_can_read_the_locks():
    # Without asking anyone.
    read = subprocess.run(
        f"{recipe('audit')} --dry-run", shell=True, cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert read.returncode == 0, read.stderr
    # Some are for other systems alone.
    assert int(re.findall(r"would have audited (\d+) packages", read.stderr)[0]) > 0.9 * len(pinned(LOCKS[1]))


def test_the_list_of_packages_holds_every_locked_one_at_its_version(tmp_path):
    made = recipe("sbom").replace("var/sbom.json", str(tmp_path / "sbom.json"))
    # What the tool validates by default takes seconds, and is its own business.
    subprocess.run(f"{made} --no-validate", shell=True, cwd=ROOT, check=True)
    document = json.loads((tmp_path / "sbom.json").read_text())

    assert document["bomFormat"] == "CycloneDX"
    assert {(part["name"], part["version"]) for part in document["components"]} == pinned("requirements.lock")
    assert "var/sbom.json" in recipe("sbom")
    assert "var/" in (ROOT / ".gitignore").read_text().splitlines()


def test_every_row_of_the_threat_model_names_tests_that_are_there():
    held = (ROOT / "SECURITY.md").read_text().partition("## What holds them")[2].partition("\n## ")[0]
    rows = [line for line in held.splitlines() if line.startswith("| ")][2:]
    named = [re.findall(r"`(tests/\S+)`", row.split(" | ")[-1]) for row in rows]

    assert len(rows) > 10
    assert all(named)
    assert [path for paths in named for path in paths if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_documents_lead_to_the_threat_model(document):
    assert "](SECURITY.md)" in (ROOT / document).read_text()
