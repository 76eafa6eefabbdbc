"""The embedded database as the supervisor sees it."""

import os
import subprocess
import sys

from smplat.embedded import EmbeddedDatabase
from tests import ROOT


def test_a_process_that_got_the_number_of_a_server_that_is_gone_is_not_taken_for_it(tmp_path):
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    database = EmbeddedDatabase(tmp_path)

    assert database.has_ended()
    database.kill()


def test_a_start_that_fails_is_said(tmp_path, capsys):
    (tmp_path / "postgres").write_text("no folder")

    EmbeddedDatabase(tmp_path).start()

    assert "cannot be started" in capsys.readouterr().err


def test_the_last_process_that_lives_stops_it_whatever_became_of_the_others(tmp_path):
    start = f"import os, pathlib; from smplat import embedded; embedded.start(pathlib.Path({str(tmp_path)!r}))"

    subprocess.run([sys.executable, "-c", f"{start}; os.kill(os.getpid(), 9)"], cwd=ROOT)
    assert not EmbeddedDatabase(tmp_path).has_ended()
    subprocess.run([sys.executable, "-c", start], cwd=ROOT, check=True)

    assert EmbeddedDatabase(tmp_path).has_ended()
