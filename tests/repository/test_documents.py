"""Facts about the documents: they say what the code does, and lead somewhere."""

import ast
import importlib
import re

import pytest
from django.core.management import get_commands, load_command_class

from reporting.feeds import FEEDS
from tests import ROOT
from tests.repository.tree import committed_files

RUNBOOKS = ROOT / "docs" / "runbooks"
DECISIONS = sorted((ROOT / "docs" / "adr").glob("*.md"))
COMMANDS = sorted(name for name, app in get_commands().items() if app in {"telemetry", "reporting"})
# Parts of messages that the operating system words.
FROM_THE_SYSTEM = ("no space left on device", "permission denied")
# Where a path in backticks may start; other words with a slash are URLs, media types and folders of a lake.
TOP_LEVEL = ("bench/", "docs/", "reporting/", "smplat/", "static/", "telemetry/", "templates/", "tests/")

#: What this product does not say: it speaks plain English, and of what happened.
AVOIDED = re.compile(
    r"\bmend(s|ed|ing)?\b|sound run|behind the checkpoint|cannot be told|is told of|of no feed|needs you"
    r"|nothing left over|by and by|gets lost on the way|status(?=s)|\b1 rows|\ba text of",
    re.IGNORECASE,
)


class TestWords:
    @pytest.mark.parametrize("folder", ["reporting", "smplat", "telemetry", "templates", "static", "docs", "bench"])
    def test_sources_and_documents_are_without_those_that_are_avoided(self, folder):
        found = [(path.name, text) for path, text in _texts(folder) if AVOIDED.search(text)]

        assert found == []

    def test_the_pages_of_the_top_level_are_too(self):
        names = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", ".env.example", "docker-compose.yml")

        assert [name for name in names if AVOIDED.search((ROOT / name).read_text(encoding="utf-8"))] == []


def _texts(folder):
    for path in committed_files():
        if str(path.relative_to(ROOT)).startswith(f"{folder}/") and path.suffix in {".py", ".html", ".md", ".css"}:
            yield from ((path, line) for line in path.read_text(encoding="utf-8").splitlines())


class TestDocumentation:
    def test_the_page_of_the_feeds_is_current(self):
        # By name, since docs/ is no package to the type checker.
        generate = importlib.import_module("docs.generate")

        assert generate.FEEDS_PAGE.read_text(encoding="utf-8") == generate.render(), "run `make docs`"

    def test_the_feeds_part_of_the_example_of_the_environment_is_current(self):
        generate = importlib.import_module("docs.generate")
        example = generate.ENV_EXAMPLE.read_text(encoding="utf-8")

        assert example == generate.render_env(example), "run `make docs`"

    def test_the_tables_of_switching_over_are_current(self):
        generate = importlib.import_module("docs.generate")
        page = generate.SWITCHING_PAGE.read_text(encoding="utf-8")

        assert page == generate.render_switching(page), "run `make docs`"

    def test_the_table_of_findings_is_current(self):
        generate = importlib.import_module("docs.generate")
        page = generate.HEALTH_PAGE.read_text(encoding="utf-8")

        assert page == generate.render_health(page), "run `make docs`"

    @pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
    def test_every_scheduled_feed_has_a_runbook(self, feed):
        assert f"run_export {feed.key}" in "".join(path.read_text() for path in RUNBOOKS.glob("*-export.md"))

    @pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
    def test_every_feed_has_a_runbook_that_says_how_its_load_is_printed(self, feed):
        generate = importlib.import_module("docs.generate")

        assert f"warehouse_sql --feed {feed.key}\n" in (RUNBOOKS / generate.runbook_of(feed)).read_text()

    def test_every_message_that_the_runbook_explains_is_one_that_the_code_can_give(self):
        said = "\n".join(
            node.value.lower()
            for path in (ROOT / "reporting").rglob("*.py")
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )
        explained = re.findall(r"^\| “(.*)” \|", (RUNBOOKS / "export-failures.md").read_text(), re.MULTILINE)
        fragments = [
            part.strip(" .").lower() for message in explained for part in re.split(r"Skipped: |[…();]", message)
        ]

        assert len(explained) > 10
        assert [text for text in fragments if text not in said and text not in FROM_THE_SYSTEM] == []

    @pytest.mark.parametrize("name", COMMANDS)
    def test_every_command_has_help_and_stands_in_a_runbook(self, name):
        command = load_command_class(get_commands()[name], name)

        assert command.help
        assert any(f"manage.py {name}" in runbook.read_text() for runbook in RUNBOOKS.glob("*.md"))

    def test_links_between_documents_lead_somewhere(self):
        documents = [path for path in committed_files() if path.suffix == ".md"]
        links = [
            (document.parent / target, document)
            for document in documents
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())
        ]

        assert len(links) > 50
        assert [(str(target), document.name) for target, document in links if not target.exists()] == []

    def test_paths_in_backticks_exist(self):
        named = {
            (document.name, path)
            for document in committed_files()
            # A tutorial speaks of what its reader makes, and is followed by a test of its own.
            if document.suffix == ".md" and document.parent.name != "tutorials"
            for path in re.findall(r"`([\w./-]+/[\w./-]*)`", document.read_text())
            if path.startswith(TOP_LEVEL)
        }

        assert len(named) > 20
        assert sorted((document, path) for document, path in named if not (ROOT / path).exists()) == []

    def test_dotted_names_in_backticks_exist(self):
        named = {
            (document.name, name)
            for document in committed_files()
            if document.suffix == ".md"
            for name in re.findall(r"`((?:reporting|smplat|telemetry)\.[a-z_]+(?:\.\w+)+)`", document.read_text())
        }

        assert named
        assert sorted((document, name) for document, name in named if not _is_there(name)) == []


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.name[:4])
class TestDecisions:
    def test_it_has_a_number_a_status_and_its_three_parts(self, decision):
        text = decision.read_text()
        parts = re.findall(r"^## (Context|Decision|Consequences)$", text, re.MULTILINE)

        assert text.startswith(f"# {int(decision.name[:4])}. ")
        assert re.findall(r"^Status: (accepted|superseded by .*)$", text, re.MULTILINE)
        assert parts == ["Context", "Decision", "Consequences"]


def test_decisions_are_numbered_in_turn():
    assert [int(decision.name[:4]) for decision in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def _is_there(dotted_name: str) -> bool:
    module, _, name = dotted_name.rpartition(".")
    try:
        return hasattr(importlib.import_module(module), name)
    except ModuleNotFoundError:
        return False
