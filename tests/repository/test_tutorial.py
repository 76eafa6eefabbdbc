"""The tutorial that adds two feeds, followed literally in a copy of the tree."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests import ROOT
from tests.repository.tree import committed_files

TUTORIAL = ROOT / "docs" / "tutorials" / "add-a-feed.md"
_STEP = re.compile(
    r"^(?P<verb>Append to|Create|Run)(?: `(?P<path>[^`]+)`)?:\n\n(?P<fence>`{3,4})\w+\n(?P<text>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
_DOCUMENTATION = (
    *("-m", "pytest", "-q", "-n", "0", "-k", "TestDocumentation or TestEnvironment"),
    *("tests/repository/test_documents.py", "tests/repository/test_repository.py"),
)
#: Follows a row of each new feed from its birth to the warehouse; the arguments are a folder and an API key.
_JOURNEY = """
import csv, io, json, sys
from pathlib import Path
from urllib.parse import urlsplit
import django
django.setup()
import duckdb
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client
from reporting.exports import runs
from reporting.feeds import FEEDS
from reporting.models import ExportRun
from reporting.models.credits import ProviderCredit
from reporting.recording.rows import insert

warehouse = Path(sys.argv[1]) / "warehouse.duckdb"
here = {"SERVER_NAME": "localhost"}
stranger, api, desk = Client(**here), Client(headers={"X-API-Key": sys.argv[2]}, **here), Client(**here)
desk.force_login(get_user_model().objects.create_superuser("operator", password="a-password-for-tests"))

def post(route, event):
    return stranger.post(f"/api/telemetry{route}", event, "application/json")

def steps(download):
    return [json.loads(line)["step"] for line in download.getvalue().splitlines()]

event = {"id": "evt_1", "name": "checkout.abandoned", "step": "payment", "guardrail": {"platformSlug": "tiktok"}}
found = {
    "captured": [post(route, event).json() for route in ("", "/checkout")],
    "refused": post("", {**event, "step": "x" * 65}).json(),
    "not taken": post("/checkout", {"id": "1", "name": "other"}).status_code,
}
kinds = ("quick_order.start", "guardrail.workflow", "checkout.abandoned")
batch = [{"id": f"batch_{name}", "name": name, "workflowAction": "note.update", "step": "cart"} for name in kinds]
found["three kinds in one batch"] = post("", batch).json()["accepted"]
for reason in ("late", None):
    insert(FEEDS["provider_credit"], lambda at: [{"provider_id": "provider-viralhub", "reason": reason}])
found["positions"] = sorted(ProviderCredit.objects.values_list("position", flat=True))
for name in ("checkout_abandonment", "provider_credit"):
    run = runs.perform(runs.request_run(FEEDS[name], ExportRun.Trigger.COMMAND))
    table = list(csv.DictReader(io.StringIO(desk.get(f"/admin/reports/feeds/{name}/csv").getvalue().decode())))
    page = desk.get(f"/admin/reports?rows={name}").content.decode()
    found[name] = {
        "run": [run.state, run.rows, run.error],
        "status": run.status and run.status["metrics"],
        "csv": table,
        "page": [FEEDS[name].label in page, table[0][FEEDS[name].key_column] in page],
    }
export = api.get("/api/telemetry/checkout-abandonment/export")
found["window"] = [export["X-Checkout-Abandonment-Events"], *steps(export)]
found["artifact"] = steps(desk.get("/api/reporting/checkout-abandonment-export"))
found["list"] = [row["reason"] for row in api.get("/api/v1/reporting/providers/credits?order=asc").json()["credits"]]
paths = api.get("/api/schema/").json()["paths"]
found["documented"] = sorted(path for path in paths if "checkout" in path or "credit" in path)
call_command("load_warehouse", target=f"duckdb://{warehouse}")
call_command("check_parity", target=f"duckdb://{warehouse}")
with duckdb.connect(warehouse) as db:
    found["warehouse"] = [
        db.execute(f"SELECT count(*), count({column}) FROM analytics.{table}").fetchone()
        for table, column in (("checkout_abandonments", "platform_context"), ("provider_credits", "reason"))
    ]
print("FOUND", json.dumps(found))
"""


@pytest.fixture(scope="module")
def database():
    """The address of an empty database beside the suite's."""
    name, suite = f"tutorial_{os.getpid()}", urlsplit(os.environ["DATABASE_URL"])
    with psycopg.connect(suite.geturl(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    yield suite._replace(path=f"/{name}").geturl()
    with psycopg.connect(suite.geturl(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def followed(tmp_path_factory, database):
    """A copy of the tree in which every step was taken, a function that runs Python there, and the files touched."""
    tree = tmp_path_factory.mktemp("tutorial")
    for path in committed_files():
        target = tree / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    environment = {**os.environ, "DATABASE_URL": database, "VAR_DIR": str(tree / "var"), "PYTHONPATH": str(tree)}
    environment["DJANGO_SETTINGS_MODULE"] = "smplat.settings"
    # pytest closes its folder to other users as it starts; the databases of tests beside this one must stay reachable.
    environment["PYTEST_DEBUG_TEMPROOT"] = str(tmp_path_factory.mktemp("suite"))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "ignore", *arguments]
        return subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    for step in _STEP.finditer(TUTORIAL.read_text(encoding="utf-8")):
        take(step, tree, run)
    touched = {
        str(path.relative_to(tree))
        for path in tree.rglob("*")
        if path.is_file() and path.read_bytes() != before.get(path) and "__pycache__" not in path.parts
    }
    return tree, run, touched


def take(step: "re.Match[str]", tree: Path, run) -> None:
    """Take one step of the tutorial in the copy."""
    if step["verb"] == "Run":
        for line in step["text"].splitlines():
            python, *arguments = shlex.split(line)
            assert python == ".venv/bin/python"
            done = run(*arguments)
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return
    path = tree / step["path"]
    assert path.exists() == (step["verb"] == "Append to"), path
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(step["text"])


def test_every_step_is_one_that_can_be_followed():
    text = TUTORIAL.read_text(encoding="utf-8")

    assert len(_STEP.findall(text)) == len(re.findall(r"^(?:Append to|Create|Run)\b.*:$", text, re.MULTILINE)) >= 10


def test_a_feed_costs_a_model_a_migration_and_a_declaration(followed):
    _, _, touched = followed

    source = {path for path in touched if not path.startswith(("docs/", ".env", "var/"))}
    telemetry = {name for name in source if "abandonment" in name or name == "telemetry/models.py"}
    assert len(telemetry) == 3
    assert len(source - telemetry) == 3


def test_a_row_of_each_new_feed_is_captured_exported_served_shown_and_loaded(followed, tmp_path):
    _, run, _ = followed

    done = run("-c", _JOURNEY, str(tmp_path), os.environ["CHECKOUT_API_KEY"])

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.partition("FOUND ")[2])
    assert [answer["accepted"] for answer in found["captured"]] == [1, 0]
    assert found["captured"][1]["duplicates"] == 1
    assert found["refused"]["step"] == ["must be a string of at most 64 characters"]
    assert found["not taken"] == 400
    assert found["three kinds in one batch"] == 3
    assert found["positions"] == [1, 2]
    abandonment, credit = found["checkout_abandonment"], found["provider_credit"]
    assert (abandonment["run"], credit["run"]) == (["succeeded", 2, ""], ["succeeded", 2, ""])
    assert abandonment["status"] == {"eventCounts": {"checkout.abandoned": 2}}
    assert sorted(row["step"] for row in abandonment["csv"]) == ["cart", "payment"]
    assert sorted(row["reason"] for row in credit["csv"]) == ["", "late"]
    assert abandonment["page"] == credit["page"] == [True, True]
    assert found["window"] == ["2", "payment", "cart"]
    assert found["artifact"] == ["payment", "cart"]
    assert found["list"] == ["late", None]
    assert len(found["documented"]) == 6
    assert found["warehouse"] == [[2, 1], [2, 1]]


def test_the_schema_and_the_documentation_are_complete(followed):
    tree, run, _ = followed

    migrations = run("manage.py", "makemigrations", "--check", "--dry-run")
    documentation = run(*_DOCUMENTATION)

    assert migrations.returncode == 0, migrations.stdout
    assert documentation.returncode == 0, documentation.stdout


def test_a_missing_runbook_is_named(followed):
    tree, run, _ = followed
    (tree / "docs" / "runbooks" / "provider-credit-export.md").rename(tree / "elsewhere.md")

    documentation = run("-m", "pytest", "-q", "-n", "0", "-k", "TestDocumentation", "tests/repository")

    (tree / "elsewhere.md").rename(tree / "docs" / "runbooks" / "provider-credit-export.md")
    assert documentation.returncode == 1
    assert "provider_credit" in documentation.stdout
