"""A whole desk in processes of its own, started as `make run` starts it."""

import fcntl
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import psycopg

from smplat import embedded
from tests import ROOT

PASSWORD = "a-password-for-tests"
API_KEY = "the-key-of-the-desk"
#: What tells the programs of a desk apart in their command lines.
PROGRAMS = {"web": "granian", "worker": "celery@%h", "optional worker": "optional@%h", "beat": "beat"}
_KEPT = ("PATH", "HOME", "LANG", "PYTHONPATH", "VIRTUAL_ENV")


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _take_migrated_database(var_dir: Path) -> None:
    """Give a new desk a copy of a database that the suite has migrated once, which spares each one the same seconds."""
    root = os.environ.get("SMPLAT_TEST_ROOT")
    if root is None or var_dir.exists():
        return
    template = Path(root, "template")
    with Path(root, "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            _migrate(template)
    var_dir.mkdir(parents=True)
    # With its owner, who is not root.
    subprocess.run(["cp", "-a", template / "postgres", var_dir], check=True)


def _migrate(var_dir: Path) -> None:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment = kept | {"VAR_DIR": str(var_dir), "SECRET_KEY": secrets.token_hex(32)}
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], env=environment, cwd=ROOT, check=True)


class Desk:
    """One instance on its own VAR_DIR and PORT."""

    def __init__(self, var_dir: Path, **settings: str) -> None:
        self.var_dir, self.port = var_dir, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | {
            "VAR_DIR": str(var_dir),
            "PORT": str(self.port),
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
            "CHECKOUT_API_KEY": API_KEY,
            "TELEMETRY_THROTTLE": "0",
            # One takes half as long to start as two.
            "WEB_CONCURRENCY": "1",
            "PYTHONUNBUFFERED": "1",
            **settings,
        }
        self.process: subprocess.Popen[str] | None = None
        self.output = ""

    def start(self) -> "Desk":
        """Start everything and return when it says that it runs."""
        self.output = ""
        if "DATABASE_URL" not in self.environment:
            _take_migrated_database(self.var_dir)
        log = (self.var_dir.parent / f"{self.var_dir.name}.log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "smplat.launch"],
            env=self.environment,
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        deadline = time.monotonic() + 90
        while "SMPLAT is running" not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.1)
            log.seek(0)
            self.output = log.read()
        log.close()
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it as a person or an init system does; return the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)

    def processes(self) -> list[psutil.Process]:
        """Every process of the instance, the database's included."""
        mark = str(self.var_dir)
        found = []
        for process in psutil.process_iter():
            try:
                if mark in " ".join(process.cmdline()) or process.environ().get("VAR_DIR") == mark:
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def program(self, name: str) -> psutil.Process | None:
        """The web server, one of the workers, or beat, by the name in ``PROGRAMS``; None while it does not run."""
        for child in psutil.Process(self.process.pid).children() if self.process else []:
            # One that was just killed has no command line any more.
            with suppress(psutil.NoSuchProcess):
                if PROGRAMS[name] in child.cmdline():
                    return child
        return None

    def postmaster(self) -> psutil.Process:
        """The process of the embedded database that has started the others."""
        pid = (self.var_dir / "postgres" / "postmaster.pid").read_text().splitlines()[0]
        return psutil.Process(int(pid))

    def look(self) -> None:
        """Have the desk look at its health now."""
        code = "from reporting.insights import health; health.look()"
        command = [sys.executable, "-W", "ignore", "manage.py", "shell", "--no-imports", "-c", code]
        subprocess.run(command, env=self.environment, cwd=ROOT, check=True, capture_output=True)

    def database(self) -> psycopg.Connection:
        """A session of the instance's database."""
        return psycopg.connect(embedded.url(self.var_dir))

    def client(self) -> httpx.Client:
        """An HTTP client with the API key."""
        key = self.environment["CHECKOUT_API_KEY"].split(",")[0]
        return httpx.Client(base_url=self.url, headers={"X-API-Key": key}, timeout=30)

    def operator(self, username: str = "admin") -> httpx.Client:
        """An HTTP client that has signed in; every user of a test has the same password."""
        password = self.environment["DJANGO_SUPERUSER_PASSWORD"]
        client = httpx.Client(base_url=self.url, timeout=30, follow_redirects=True)
        page = client.get("/admin/login/?next=/admin/reports").text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token is not None
        fields = {"username": username, "password": password, "csrfmiddlewaretoken": token[1]}
        answer = client.post("/admin/login/?next=/admin/reports", data=fields, headers={"Referer": self.url})
        assert answer.url.path == "/admin/reports", answer.text
        return client

    def start_run(self, operator: httpx.Client, feed: str = "quick_order") -> str:
        """Press "Run now" and return the path of the run's page."""
        token = operator.cookies["csrftoken"]
        headers = {"Referer": self.url, "X-CSRFToken": token}
        return operator.post(f"/admin/reports/feeds/{feed}/start", headers=headers).url.path


def wait_for(condition, seconds: float = 60.0):
    """Ask ``condition`` until it gives something true, and return that."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.05)
    return result
