"""A database whose disk is full: it is named, nothing is half stored, and with space again everything goes on."""

import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

from telemetry.models import IntakeTally, QuickOrderEvent
from tests.factories import quick_order_event

TABLE = QuickOrderEvent._meta.db_table


@contextmanager
def table_on_a_small_disk(folder: Path, size: str):
    """Move the table of quick orders to a disk of its own, and back in the end."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=False)
    if mounted.returncode != 0:
        pytest.skip("a small disk cannot be mounted here")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('data_directory')")
            owner = Path(cursor.fetchone()[0]).stat()
            os.chown(folder, owner.st_uid, owner.st_gid)
            cursor.execute(f"CREATE TABLESPACE small_disk LOCATION '{folder}'")
            cursor.execute(f"ALTER TABLE {TABLE} SET TABLESPACE small_disk")
            yield
            cursor.execute(f"ALTER TABLE {TABLE} SET TABLESPACE pg_default")
            cursor.execute("DROP TABLESPACE small_disk")
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="only root mounts a small disk")
def test_it_is_named_and_nothing_is_half_stored(stranger):
    # Open to the database's user from the root down, which the folders of tests are not.
    folder = Path("/tmp", f"small-disk-{os.getpid()}")
    accepted, refusal = 0, None

    with table_on_a_small_disk(folder, "2m"):
        while refusal is None and accepted < 2_000:
            events = [quick_order_event(metadata={"text": os.urandom(4_000).hex()}) for _ in range(5)]
            answer = stranger.post("/api/telemetry", events, format="json")
            if answer.status_code == 202:
                accepted += answer.json()["accepted"]
            else:
                refusal = answer
        assert refusal is not None
        assert refusal.status_code == 503
        assert refusal.json()["detail"].startswith("The disk of the database is full.")
        assert QuickOrderEvent.objects.count() == accepted
        assert sum(IntakeTally.objects.values_list("accepted", flat=True)) == accepted

    folder.rmdir()
    assert accepted > 0
    assert stranger.post("/api/telemetry", events, format="json").json()["accepted"] == 5
