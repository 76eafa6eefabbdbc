"""What a command does not use is not imported, which is most of the time of one that finds nothing new."""

import os
import subprocess
import sys

import pytest

from tests import ROOT
from tests.database import database_url

_SHOW = """
import sys
from django.core.management import execute_from_command_line
try:
    execute_from_command_line(["manage.py", *sys.argv[1:]])
finally:
    print(*sys.modules, file=sys.stderr, sep="\\n")
"""
_WEB = {"smplat.urls", "unfold.admin", "rest_framework.serializers", "drf_spectacular.views", "prometheus_client"}
_SIGN_IN = {"allauth.socialaccount.providers.openid_connect.provider", "fido2", "requests"}
_OTHERS = {"boto3", "botocore", "celery", "kombu", "redis", "httpx", "duckdb", "sqlglot", "tqdm"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "command",
    [
        ("export_onboarding_pricing_segments",),
        ("export_guardrail_followups",),
        ("export_onboarding_pricing_segments", "--sink", "s3", "--cursor-store", "db"),
    ],
    ids=" ".join,
)
def test_an_export_with_nothing_new_imports_what_it_uses(command):
    assert imported(*command) & (_WEB | _SIGN_IN | _OTHERS) == set()


def test_the_warehouse_s_statements_take_neither_pages_nor_workers():
    assert imported("warehouse_sql") & (_WEB | _SIGN_IN | {"boto3", "celery", "httpx"}) == set()


def test_checks_look_at_every_page_of_the_admin():
    assert {"smplat.urls", "reporting.admin", "smplat.signin.admin"} <= imported("check")


def imported(*command: str) -> set[str]:
    """The modules of a process that has carried out a command of ``manage.py``."""
    environment = {**os.environ, "DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "smplat.settings"}
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _SHOW, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(process.stderr.splitlines())
