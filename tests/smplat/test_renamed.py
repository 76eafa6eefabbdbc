"""Settings of the replaced system: which are still read, and what is said of them."""

import os
import subprocess
import sys

import pytest

from smplat.renamed import ALIASES, RETIRED, apply, unknown
from smplat.settings import SETTING_NAMES
from tests import ROOT

READ_BY_LIBRARIES = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


class TestOldNames:
    @pytest.mark.habit(
        "The workflows' secrets and the old applications' variables have names of their own",
        "Reads each old name as today's, and logs a line for it at the start",
    )
    @pytest.mark.parametrize(("old", "names"), ALIASES.items(), ids=ALIASES)
    def test_each_is_read_as_todays(self, old, names):
        variables = {old: "the-value"}

        renamed = apply(variables)

        assert {name: variables[name] for name in names} == dict.fromkeys(names, "the-value")
        assert renamed.notes == [f"{old} is read as {name}; please rename it." for name in names]

    def test_todays_names_are_settings_or_read_by_libraries(self):
        todays = {name for names in ALIASES.values() for name in names}

        assert todays <= SETTING_NAMES | READ_BY_LIBRARIES
        assert not (ALIASES.keys() | RETIRED) & SETTING_NAMES

    def test_todays_name_wins_and_the_other_value_is_reported(self):
        variables = {"FRONTEND_URL": "https://old.example", "PUBLIC_BASE_URL": "https://desk.example"}

        renamed = apply(variables)

        assert variables["PUBLIC_BASE_URL"] == "https://desk.example"
        assert renamed.notes == [
            "FRONTEND_URL is ignored: PUBLIC_BASE_URL has another value. Please remove FRONTEND_URL."
        ]

    def test_an_old_name_with_the_value_of_todays_needs_no_line(self):
        same = dict.fromkeys(["FRONTEND_URL", "PUBLIC_BASE_URL"], "https://desk.example")

        assert apply(same).notes == []

    def test_an_empty_old_name_counts_as_unset(self):
        variables = {"FRONTEND_URL": " "}

        assert apply(variables).notes == []
        assert "PUBLIC_BASE_URL" not in variables

    @pytest.mark.habit("Each job has a region of its own", "One AWS_REGION; two different values stop the start")
    def test_two_values_for_one_setting_are_a_conflict(self):
        variables = {"QUICK_ORDER_EXPORT_AWS_REGION": "eu-west-1", "GUARDRAIL_EXPORT_AWS_REGION": "eu-central-1"}

        assert apply(variables).conflicts == {
            "AWS_REGION": "QUICK_ORDER_EXPORT_AWS_REGION and GUARDRAIL_EXPORT_AWS_REGION give it different values; "
            "set AWS_REGION itself"
        }
        assert "AWS_REGION" not in variables

    def test_the_same_value_twice_is_none(self):
        variables = dict.fromkeys(["QUICK_ORDER_EXPORT_AWS_REGION", "GUARDRAIL_EXPORT_AWS_REGION"], "eu-west-1")

        assert apply(variables).conflicts == {}
        assert variables["AWS_REGION"] == "eu-west-1"


class TestUnknownNames:
    @pytest.mark.parametrize(
        ("name", "said"),
        [
            (
                "QUICK_ORDER_EXPORT_BUKET",
                ["QUICK_ORDER_EXPORT_BUKET is not a setting. Did you mean QUICK_ORDER_EXPORT_BUCKET?"],
            ),
            ("SLACK_WEBHOOK_ULR", ["SLACK_WEBHOOK_ULR is not a setting. Did you mean SLACK_WEBHOOK_URL?"]),
            ("PROVIDER_X", ["PROVIDER_X is not a setting."]),
            (
                "GUARDRAIL_EXPORT_TRIGGER_URL",
                [
                    "GUARDRAIL_EXPORT_TRIGGER_URL is no longer needed: “Run now” starts the job. Please remove it.",
                ],
            ),
            ("FRONTEND_URL", []),
            ("SLACK_WEBHOOK_URL", []),
            ("HOME", []),
        ],
    )
    def test_one_that_looks_like_ours_is_reported_with_the_nearest(self, name, said):
        assert unknown({name: "the-value"}, SETTING_NAMES) == said

    def test_one_without_a_value_is_not(self):
        assert unknown({"QUICK_ORDER_EXPORT_BUKET": ""}, SETTING_NAMES) == []


def start(tmp_path, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        env={"PATH": os.environ["PATH"], "DEBUG": "1", "VAR_DIR": str(tmp_path), **changes},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


class TestTheStart:
    def test_it_logs_a_line_for_each_name_and_no_value(self, tmp_path):
        started = start(
            tmp_path,
            FRONTEND_URL="https://the-old-shop.example",
            GUARDRAIL_EXPORT_DATABASE_URL="postgresql+asyncpg://smplat:the-secret@127.0.0.1:1/smplat",
            QUICK_ORDER_EXPORT_BUKET="the-bucket",
        )

        assert started.returncode == 0, started.stderr
        assert started.stderr.splitlines()[:3] == [
            "FRONTEND_URL is read as PUBLIC_BASE_URL; please rename it.",
            "GUARDRAIL_EXPORT_DATABASE_URL is read as DATABASE_URL; please rename it.",
            "QUICK_ORDER_EXPORT_BUKET is not a setting. Did you mean QUICK_ORDER_EXPORT_BUCKET?",
        ]
        assert not any(value in started.stderr for value in ("the-old-shop", "the-secret", "the-bucket"))

    def test_a_bad_value_is_reported_under_the_name_that_people_set(self, tmp_path):
        started = start(
            tmp_path,
            FRONTEND_URL="ftp://the-secret",
            ONBOARDING_EXPORT_AWS_REGION="a",
            **{
                "GUARDRAIL_EXPORT_AWS_REGION": "b",
            },
        )

        assert started.returncode != 0
        assert "PUBLIC_BASE_URL (from FRONTEND_URL): must be an absolute URL" in started.stderr
        assert "AWS_REGION: ONBOARDING_EXPORT_AWS_REGION and GUARDRAIL_EXPORT_AWS_REGION give it" in started.stderr
        assert "the-secret" not in started.stderr
