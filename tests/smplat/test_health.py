"""Liveness, readiness, metrics and errors outside of views."""

import threading
import time

import psycopg
import pytest
from prometheus_client import REGISTRY

from smplat import health
from smplat.celery import app
from smplat.readiness import Readiness
from tests.database import capture, export
from tests.e2e.desk import wait_for
from tests.factories import quick_order_event


@pytest.mark.django_db
class TestReadiness:
    def test_it_is_ready_when_everything_answers(self, client):
        answer = client.get("/readyz")

        assert answer.status_code == 200, answer.json()
        assert answer.json() == {
            "status": "ready",
            "database": "ok",
            "migrations": "ok",
            "broker": "ok",
            "storage": "ok",
        }

    def test_it_names_a_lake_that_cannot_be_written(self, client, tmp_path):
        (tmp_path / "lake").write_text("a file is in the way")

        answer = client.get("/readyz")

        assert (answer.status_code, answer.json()["storage"]) == (503, "failed")
        assert answer.json()["database"] == "ok"

    def test_it_names_missing_migrations(self, client, monkeypatch):
        from django.db.migrations.executor import MigrationExecutor

        monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda *args: ["one"])

        assert client.get("/readyz").json()["migrations"] == "failed"

    def test_it_names_a_broker_that_is_not_there(self, client, monkeypatch):
        from kombu import Connection

        monkeypatch.setattr(app, "connection_for_write", lambda **options: Connection("redis://127.0.0.1:9/0"))

        assert client.get("/readyz").json()["broker"] == "failed"

    def test_a_lake_that_hangs_takes_two_seconds_once_and_no_thread_of_a_request(self, client, monkeypatch):
        released, began = threading.Event(), time.monotonic()

        def hang() -> None:
            released.wait(60)

        readiness = Readiness({"database": lambda: None, "storage": hang})
        monkeypatch.setattr(health, "READINESS", readiness)

        answers = [client.get("/readyz").json() for _ in range(20)]

        assert time.monotonic() - began < 15
        assert answers == [{"status": "not ready", "database": "ok", "storage": "failed"}] * 20
        released.set()

        def is_ready() -> bool:
            readiness.forget()
            return bool(client.get("/readyz").status_code == 200)

        assert wait_for(is_ready)

    def test_it_tells_no_secrets(self, client, tmp_path):
        (tmp_path / "lake").write_text("a file is in the way")

        answer = client.get("/readyz")

        assert answer.json()["storage"] == "failed"
        assert str(tmp_path) not in answer.content.decode()


def test_the_process_is_alive_without_a_database(client):
    assert client.get("/healthz").json() == {"status": "alive"}


@pytest.mark.django_db
def test_metrics_count_what_became_of_events(client, stranger):
    stranger.post("/api/telemetry", [quick_order_event(), quick_order_event(id=7)], format="json")

    text = client.get("/metrics").content.decode()

    assert 'smplat_capture_events_total{outcome="accepted"}' in text
    assert 'smplat_capture_events_total{outcome="rejected"}' in text


@pytest.mark.django_db
def test_metrics_count_the_events_that_came_without_an_id(client, stranger):
    before = REGISTRY.get_sample_value("smplat_capture_minted_total") or 0.0

    stranger.post("/api/telemetry", [quick_order_event(), quick_order_event(id=None)], format="json")

    assert REGISTRY.get_sample_value("smplat_capture_minted_total") == before + 1
    assert "smplat_capture_minted_total" in client.get("/metrics").content.decode()


@pytest.mark.django_db
def test_metrics_tell_how_fresh_each_feed_is(client):
    export()
    capture([quick_order_event() for _ in range(3)])
    export()

    text = client.get("/metrics").content.decode()

    assert 'smplat_export_rows{feed="quick_order"} 3.0' in text
    assert 'smplat_export_last_duration_seconds{feed="quick_order"}' in text
    assert 'smplat_export_newest_row_age_seconds{feed="quick_order"}' in text


class TestErrors:
    @pytest.mark.parametrize("path", ["/api/nothing", "/api/v1/nothing?x=%00", "/lake/"])
    def test_an_unknown_api_path_is_a_json_404(self, client, path):
        answer = client.get(path)

        assert (answer.status_code, list(answer.json())) == (404, ["detail"])

    def test_an_unknown_page_is_a_page(self, client):
        answer = client.get("/nothing")

        assert answer.status_code == 404
        assert b"<h1>Not found</h1>" in answer.content

    def test_a_defect_is_a_json_500_without_its_traceback(self, stranger, monkeypatch):
        from telemetry import views

        monkeypatch.setattr(views, "capture", lambda *args, **options: 1 / 0)
        stranger.raise_request_exception = False

        answer = stranger.post("/api/telemetry", quick_order_event(), format="json")

        assert (answer.status_code, list(answer.json())) == (500, ["error", "detail"])
        assert "ZeroDivisionError" not in answer.content.decode()

    def test_a_database_that_is_away_is_a_503_that_may_be_repeated(self, stranger, monkeypatch):
        from django.db import OperationalError

        from telemetry import views

        def fail(*args, **options):
            raise OperationalError("connection to server at 10.0.0.1 failed")

        monkeypatch.setattr(views, "capture", fail)

        answer = stranger.post("/api/telemetry", quick_order_event(), format="json")

        assert answer.status_code == 503
        assert answer["Retry-After"] == "5"
        assert "10.0.0.1" not in answer.content.decode()

    def test_a_full_disk_of_the_database_is_named(self, stranger, monkeypatch, caplog):
        from django.db import OperationalError

        from telemetry import views

        def fail(*args, **options):
            raise OperationalError("could not extend file") from psycopg.errors.DiskFull("could not extend file")

        monkeypatch.setattr(views, "capture", fail)

        answer = stranger.post("/api/telemetry", quick_order_event(), format="json")

        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert answer.json()["detail"].startswith("The disk of the database is full.")
        assert "The disk of the database is full" in caplog.text
