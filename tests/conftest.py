"""Fixtures of the whole suite."""

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import caches
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from reporting.feeds import WINDOW_FEEDS
from smplat.lib.queueing import PUBLISHER
from smplat.readiness import READINESS
from tests.environment import API_KEY


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """The database of the suite; in the end, sessions of processes that tests have killed are ended before it goes."""
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture(autouse=True)
def own_var_dir(settings, tmp_path):
    """Give each test a lake, a spool and snapshots of its own."""
    from smplat.settings import ExportTarget

    settings.LAKE_URI = (tmp_path / "lake").as_uri()
    settings.SPOOL_DIR = tmp_path / "spool"
    settings.LOCAL_SNAPSHOT_DIR = tmp_path / ".telemetry"
    settings.EXPORT_TARGETS = {
        feed.key: ExportTarget(settings.LAKE_URI, f"{settings.LAKE_URI}/{feed.status_name}", "")
        for feed in WINDOW_FEEDS
    }
    settings.CHECKPOINT_URIS = {key: f"{settings.LAKE_URI}/{key}-checkpoint.json" for key in settings.CHECKPOINT_URIS}
    settings.INGEST_STAGE_URI = f"{settings.LAKE_URI}/stage"
    settings.COUNTERS_PATH = tmp_path / "counters"
    caches["process"].clear()
    READINESS.forget()
    PUBLISHER.forget()


@pytest.fixture
def api() -> APIClient:
    """A client with the API key."""
    return APIClient(headers={"X-API-Key": API_KEY})


@pytest.fixture
def stranger() -> APIClient:
    """A client without any credentials."""
    return APIClient()


@pytest.fixture
def operator(db) -> Client:
    """A browser's session of a superuser."""
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    return client


@pytest.fixture
def staff_with(db):
    """A maker of sessions of staff users who hold just the named permissions (``app.codename``)."""

    def make(*permissions: str) -> Client:
        user = User.objects.create_user(f"staff-{len(permissions)}", is_staff=True)
        for permission in permissions:
            app, codename = permission.split(".")
            user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def eager_tasks():
    """Run background tasks at once, in the process that queues them."""
    from smplat.celery import app

    app.loader.import_default_modules()
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False
