"""Facts about the source and the suite: who imports whom, and what is called by its name alone."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator

from smplat.celery import app
from tests import ROOT


class TestTheSuite:
    def test_its_tests_have_the_same_names_in_every_process(self, request):
        # The processes that share the suite collect it each for itself, and stop where they differ: a name must
        # depend neither on the clock nor on the order of a set.
        here = [item.nodeid for item in request.session.items]
        files = sorted({name.split("::")[0] for name in here})
        environment = {**os.environ, "PYTHONHASHSEED": "4", "PYTEST_ADDOPTS": ""}

        collected = subprocess.run(
            [sys.executable, "-m", "pytest", "-n", "0", "-q", "--collect-only", "-p", "no:cacheprovider", *files],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

        assert sorted(set(here) - set(collected.stdout.splitlines())) == []

    def test_no_test_imports_another_test_or_a_conftest(self):
        modules = list((ROOT / "tests").rglob("*.py"))
        importing = {
            str(path.relative_to(ROOT)): name
            for path in modules
            for name in _imports(ast.parse(path.read_text()))
            if re.match(r"tests\b.*\.(test_\w+|conftest)\b", name)
        }

        assert len(modules) > 50
        assert importing == {}


class TestArchitecture:
    def test_telemetry_never_imports_reporting(self):
        importing = [
            str(path.relative_to(ROOT))
            for path in (ROOT / "telemetry").rglob("*.py")
            if any(name.split(".")[0] == "reporting" for name in _imports(ast.parse(path.read_text())))
        ]

        assert importing == []

    def test_what_is_queued_by_its_name_is_a_task(self):
        app.loader.import_default_modules()
        queued = {
            argument.value
            for folder in ("reporting", "telemetry")
            for path in (ROOT / folder).rglob("*.py")
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call) and "queue_task" in (ast.unparse(node.func), *map(ast.unparse, node.args))
            for argument in node.args
            if isinstance(argument, ast.Constant)
        }

        assert len(queued) > 2
        assert queued <= set(app.tasks)


def _imports(tree: ast.Module) -> Iterator[str]:
    """The modules that are imported, and the names that are imported from one, which may be modules too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
