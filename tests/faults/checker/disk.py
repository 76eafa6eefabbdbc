"""A small disk of its own for the tables that clients write to, which can be filled up."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.e2e.desk import Desk
from tests.faults.checker.feeds import FEEDS

_PAGE = bytes(4_096)


class SmallDisk:
    """A disk in memory, of ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Leave no byte free."""
        with suppress(OSError), self._filler.open("wb", buffering=0) as file:
            while file.write(_PAGE):
                pass

    def relieve(self) -> None:
        """Give back what was taken."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def small_disk(megabytes: int) -> Iterator[SmallDisk | None]:
    """Mount a small disk for the time of the block; None where that is not allowed."""
    # Open to the database's user from the root down, which temporary folders are not.
    folder = Path("/tmp", f"smplat-small-disk-{os.getpid()}")
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    is_mounted = shutil.which("mount") and subprocess.run(["mount", *options], check=False).returncode == 0
    try:
        yield SmallDisk(folder) if is_mounted else None
    finally:
        if is_mounted:
            # The database may still be ending.
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def move_tables(desk: Desk, disk: SmallDisk) -> None:
    """Put the tables that clients write to on ``disk``."""
    owner = (desk.var_dir / "postgres" / "PG_VERSION").stat()
    space = disk.folder / "space"
    space.mkdir()
    os.chown(space, owner.st_uid, owner.st_gid)
    with desk.database() as session:
        session.autocommit = True
        session.execute(f"CREATE TABLESPACE small_disk LOCATION '{space}'")
        for feed in FEEDS.values():
            session.execute(f"ALTER TABLE {feed.table} SET TABLESPACE small_disk")
