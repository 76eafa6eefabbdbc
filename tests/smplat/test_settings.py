"""Settings: what stops a start, and what it says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT

GOOD = {
    "SECRET_KEY": "0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNO",
    "DATABASE_URL": "postgresql://smplat:a-password@127.0.0.1:1/smplat",
    "PATH": os.environ["PATH"],
    "PUBLIC_BASE_URL": "https://desk.example",
}
READ = "from smplat import settings; print(getattr(settings, {name!r}))"


def start(tmp_path: Path, *command: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a fresh process under just these settings."""
    return subprocess.run(
        [sys.executable, *command],
        env={**GOOD, "VAR_DIR": str(tmp_path), **changes},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SECRET_KEY", "short", "at least 50 random characters"),
        ("SECRET_KEY", "", "at least 50 random characters"),
        ("CHECKOUT_API_KEY", "changeme", "a weak key"),
        ("CHECKOUT_API_KEY", "long-enough-key,short", "a weak key"),
        ("PORT", "99999", "a whole number from 1 to 65535"),
        ("DEBUG", "maybe", "neither true nor false"),
        ("DATABASE_URL", "mysql://a@b/c", "postgresql://"),
        ("REDIS_URL", "http://127.0.0.1", "redis://"),
        ("LAKE_URI", "ftp://x/y", "s3://bucket/key or file:///absolute/path"),
        ("LAKE_URI", "file://relative/path", "s3://bucket/key or file:///absolute/path"),
        ("QUICK_ORDER_EXPORT_BUCKET", "s3://bucket", "must be a bucket name"),
        ("QUICK_ORDER_EXPORT_S3_PREFIX", "telemetry", "QUICK_ORDER_EXPORT_BUCKET is not"),
        ("GUARDRAIL_WORKFLOW_EXPORT_STATUS_S3_URI", "bucket/key", "must be s3://"),
        ("SLACK_WEBHOOK_URL", "hooks.example", "an absolute URL"),
        ("ALERT_URLS", "mailto:ops@shop.example,hooks.example/x", "number 2 of them is not mailto:…, https://…"),
        ("ALERT_REMINDER_HOURS", "4h", "from 0 to 168"),
        ("ALERT_WEBHOOK_SECRET", "short", "each secret must be whsec_"),
        ("HEARTBEAT_URL", "hc.example", "an absolute URL"),
        ("EMAIL_URL", "https://mail.example", "must be smtp://user:password@host:port"),
        ("EMAIL_URL", "smtp://mail.example:port", "must be smtp://user:password@host:port"),
        ("SLACK_VERBOSITY", "sometimes", "is not one of EVERY_RUN, CHANGES"),
        ("EXPORT_URL_EXPIRY_SECONDS", "604801", "from 60 to 604800"),
        ("CORS_ALLOWED_ORIGINS", "https://a.example,b.example", "number 2 of them is not an origin"),
        ("CORS_ALLOWED_ORIGINS", "https://a.example/path", "is not an origin"),
        ("CORS_ALLOWED_ORIGINS", "https://a.example?key=value", "is not an origin"),
        ("PUBLIC_BASE_URL", "http://desk.example", "must start with https://"),
        ("PUBLIC_BASE_URL", "https://user:password@desk.example", "must not carry a user or a password"),
        ("AWS_S3_ENDPOINT_URL", "https://user:password@s3.example", "must not carry a user or a password"),
        ("QUICK_ORDER_EXPORT_WORKFLOW_URL", "https://user:password@ci.example", "must not carry a user"),
        ("ALLOWED_HOSTS", "*", "name the hosts"),
        ("TELEMETRY_THROTTLE", "-1", "from 0 to"),
        ("TELEMETRY_MAX_BODY_BYTES", "1e6", "a whole number"),
        ("TELEMETRY_RETENTION_DAYS", "0", "from 1 to"),
        ("WEB_CONCURRENCY", "65", "from 1 to 64"),
        ("SECOND_FACTOR", "maybe", "not one of OFF, OPTIONAL, REQUIRED"),
        ("OIDC_ISSUER_URL", "login.example", "an absolute URL"),
        ("LOG_LEVEL", "LOUD", "not one of DEBUG, INFO, WARNING, ERROR"),
    ],
)
def test_a_bad_value_stops_the_start_and_is_named(tmp_path, name, value, says):
    result = start(tmp_path, "manage.py", "check", **{name: value})

    assert result.returncode != 0
    assert result.stderr.startswith(f"SMPLAT cannot start: {name}: ")
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_every_bad_value_is_reported_at_once(tmp_path):
    result = start(tmp_path, "manage.py", "check", PORT="x", LOG_LEVEL="y")

    assert "PORT: " in result.stderr
    assert "LOG_LEVEL: " in result.stderr


def test_single_sign_on_takes_all_of_its_settings(tmp_path):
    result = start(tmp_path, "manage.py", "check", OIDC_CLIENT_SECRET="the-secret", OIDC_CLIENT_ID="desk")

    assert "OIDC_ISSUER_URL: is not set, but other settings of OIDC_… are; set all three or none" in result.stderr
    assert "the-secret" not in result.stderr


def test_single_sign_on_takes_a_provider_that_speaks_tls(tmp_path):
    issuer = "http://login.example"
    result = start(
        tmp_path, "manage.py", "check", OIDC_ISSUER_URL=issuer, OIDC_CLIENT_ID="desk", OIDC_CLIENT_SECRET="the-secret"
    )

    assert "OIDC_ISSUER_URL: must start with https://" in result.stderr


def test_a_webhooks_secret_stays_out_of_the_error(tmp_path):
    result = start(tmp_path, "manage.py", "check", SLACK_WEBHOOK_URL="hooks.example/services/the-secret")

    assert "SLACK_WEBHOOK_URL: " in result.stderr
    assert "the-secret" not in result.stderr


@pytest.mark.parametrize("base_url", ["https://desk.example", "http://127.0.0.1:8000"])
def test_the_deployment_check_is_clean(tmp_path, base_url):
    result = start(tmp_path, "manage.py", "check", "--deploy", "--fail-level", "WARNING", PUBLIC_BASE_URL=base_url)

    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("changes", "name", "value"),
    [
        (
            {"CHECKOUT_API_KEY": " key-number-one , key-number-two "},
            "CHECKOUT_API_KEYS",
            "['key-number-one', 'key-number-two']",
        ),
        ({"LAKE_URI": "s3://lake/shop/"}, "LAKE_URI", "s3://lake/shop"),
        ({"TELEMETRY_THROTTLE": ""}, "TELEMETRY_THROTTLE", "600"),
        ({}, "TELEMETRY_MAX_BODY_BYTES", "1048576"),
        ({"ALERT_URLS": "mailto:a@b.c, tgram://t/1"}, "ALERT_URLS", "['mailto:a@b.c', 'tgram://t/1']"),
        ({"EMAIL_URL": "smtp://a%40b:c%20d@mail.example:587"}, "EMAIL_HOST_USER", "a@b"),
        ({"EMAIL_URL": "smtp://a%40b:c%20d@mail.example:587"}, "EMAIL_USE_TLS", "True"),
        ({"EMAIL_URL": "smtps://mail.example"}, "EMAIL_PORT", "465"),
        ({"EMAIL_URL": "smtp://mail.example"}, "EMAIL_USE_TLS", "False"),
        ({"REDIS_URL": "redis://127.0.0.1/0"}, "CELERY_BROKER_URL", "redis://127.0.0.1/0"),
    ],
)
def test_a_good_value_is_taken(tmp_path, changes, name, value):
    result = start(tmp_path, "-c", READ.format(name=name), **changes)

    assert result.stdout.strip() == value, result.stderr


PATHS = (
    "import django; django.setup(); from smplat.urls import urlpatterns; print([str(p.pattern) for p in urlpatterns])"
)


OIDC = {"OIDC_ISSUER_URL": "https://login.example/", "OIDC_CLIENT_ID": "desk", "OIDC_CLIENT_SECRET": "the-secret"}


@pytest.mark.parametrize(
    ("changes", "there"),
    [
        ({}, set()),
        ({"SECOND_FACTOR": "off"}, set()),
        ({"SECOND_FACTOR": "optional"}, {"login/", "account/second-factor/"}),
        (OIDC, {"login/", "account/single-sign-on/"}),
    ],
)
def test_what_guards_the_sign_in_has_urls_where_it_is_on(tmp_path, changes, there):
    result = start(tmp_path, "-c", PATHS, DJANGO_SETTINGS_MODULE="smplat.settings", **changes)

    assert result.returncode == 0, result.stderr
    routes = ("login/", "account/second-factor/", "account/single-sign-on/")
    assert {route for route in routes if f"'admin/{route}'" in result.stdout} == there


def test_an_export_goes_to_its_own_bucket_where_one_is_set(tmp_path):
    result = start(
        tmp_path,
        "-c",
        READ.format(name="EXPORT_TARGETS"),
        LAKE_URI="s3://lake",
        QUICK_ORDER_EXPORT_BUCKET="shop-telemetry",
        QUICK_ORDER_EXPORT_S3_PREFIX="/live/",
    )

    assert "root_uri='s3://shop-telemetry/live'" in result.stdout
    assert "status_uri='s3://lake/quick-order-export-status.json'" in result.stdout
    assert "root_uri='s3://lake'" in result.stdout
