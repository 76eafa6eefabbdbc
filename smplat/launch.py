"""`make run`: everything that the desk needs, started by one command and stopped by one signal."""

import fcntl
import logging
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import environ
import httpx
from celery.utils.nodenames import gethostname, nodename
from django.core.exceptions import ImproperlyConfigured
from kombu.exceptions import OperationalError

from smplat import embedded, secrets_file, web
from smplat.secrets_file import Secrets
from smplat.supervisor import Child, Supervisor

logger = logging.getLogger(__name__)
_BASE_DIR = Path(__file__).resolve().parent.parent
_HOST = "127.0.0.1"
_READY_SECONDS = 60.0
_PORT_SECONDS = 8.0
_OPEN_FILES = 16_384
# Each question on a connection of its own, so that any of the web processes may get it.
_HTTP = httpx.Client(timeout=5, limits=httpx.Limits(max_keepalive_connections=0))
# Beat writes its heartbeat every five seconds.
_MAX_HEARTBEAT_AGE_SECONDS = 15.0


class StartError(RuntimeError):
    """The desk cannot be started; the message says what to do."""


def main() -> None:
    """Start the desk, wait for a signal, stop the desk."""
    environ.Env.read_env(_BASE_DIR / ".env")
    var_dir = Path(os.environ.get("VAR_DIR") or _BASE_DIR / "var").resolve()
    try:
        with _sole_owner(var_dir):
            _run(var_dir)
    except (StartError, ImproperlyConfigured) as error:
        sys.exit(f"SMPLAT cannot start: {error}")


@contextmanager
def _sole_owner(var_dir: Path) -> Iterator[None]:
    """Hold ``var_dir`` for this process; the kernel lets go of the lock however the process ends."""
    try:
        var_dir.mkdir(parents=True, exist_ok=True)
        lock = (var_dir / "run.lock").open("a+")
    except OSError as error:
        raise StartError(f"VAR_DIR {var_dir} cannot be written: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise StartError(
                f"an instance is running on {var_dir} already ({lock.read().strip() or 'it is just starting'}). "
                "Stop it first, or choose another VAR_DIR and PORT."
            ) from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()}")
        lock.flush()
        yield


def _run(var_dir: Path) -> None:
    secrets = secrets_file.ensure(var_dir)
    os.environ["VAR_DIR"] = str(var_dir)
    os.environ["TMPDIR"] = str(var_dir / "tmp")
    Path(os.environ["TMPDIR"]).mkdir(exist_ok=True)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smplat.settings")
    import django
    from django.conf import settings

    if settings.USES_EMBEDDED_DATABASE:
        embedded.start(var_dir)
    django.setup()
    for note in settings.NAME_NOTES:
        logger.warning(note)
    _check_port(settings.PORT)
    _allow_many_connections()
    user, password = _prepare(secrets)
    if settings.WEB_CONCURRENCY > 1:
        web.share_metrics(var_dir / "metrics")
    others = [embedded.EmbeddedDatabase(var_dir)] if settings.USES_EMBEDDED_DATABASE else []
    supervisor = Supervisor(_children(settings.PORT, settings.WEB_CONCURRENCY, var_dir), others)
    supervisor.start()
    try:
        _wait_until_ready(f"http://{_HOST}:{settings.PORT}/readyz", supervisor)
        _announce(settings.PUBLIC_BASE_URL, user, password, _told_key(secrets))
        supervisor.watch()
    finally:
        print("Stopping.", flush=True)  # noqa: T201
        supervisor.stop()


def _allow_many_connections() -> None:
    """Let the web server open a file for each connection it may have, as far as the system permits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _check_port(port: int) -> None:
    """Return when the port is free; the web server of a launcher that was killed takes a few seconds to end."""
    deadline = time.monotonic() + _PORT_SECONDS
    while problem := _port_problem(port):
        if time.monotonic() > deadline:
            raise StartError(f"PORT {port} is taken ({problem}); choose another PORT.")
        time.sleep(0.1)


def _port_problem(port: int) -> str | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            return error.strerror
    return None


def _prepare(secrets: Secrets) -> tuple[str, str]:
    """Migrate, see to the operator's account, and return its name and what to print of its password."""
    from django.core.management import call_command
    from django.db import OperationalError, connection

    from smplat.operators import Password, ensure_operator

    made = "DJANGO_SUPERUSER_PASSWORD"
    try:
        call_command("migrate", verbosity=0, interactive=False)
        name = os.environ.get("DJANGO_SUPERUSER_USERNAME") or "admin"
        password = ensure_operator(name, os.environ.get(made, ""), secrets.values[made])
    except OperationalError as error:
        raise StartError(f"the database cannot be reached; check DATABASE_URL ({type(error).__name__})") from error
    connection.close()
    told = {
        Password.CHOSEN: f"that of {made}",
        Password.MADE: secrets.told(made),
        Password.CHANGED: "as changed in the operator pages",
    }
    return name, told[password]


def _told_key(secrets: Secrets) -> str:
    """What to print of the API key; one that the environment names is nobody's to read in a log."""
    name = "CHECKOUT_API_KEY"
    return f"that of {name}" if os.environ.get(name) else secrets.told(name)


def _children(port: int, web_processes: int, var_dir: Path) -> list[Child]:
    celery = [sys.executable, "-m", "celery", "-A", "smplat", "-q"]
    server = web.command("application", _HOST, port, web_processes)
    return [
        # The web server ends its own processes, if it is let.
        Child("web", server, partial(_web_answers, port), signal.SIGTERM),
        _worker(celery, "worker", "celery"),
        # What asks servers of others, so that one that hangs holds up no export.
        _worker(celery, "optional worker", "optional", "--concurrency", "2"),
        Child("beat", [*celery, "beat", "--loglevel", "WARNING", "--pidfile="], partial(_beat_answers, var_dir)),
    ]


def _worker(celery: list[str], name: str, queue: str, *options: str) -> Child:
    """A worker that takes the tasks of one queue, and is asked for signs of life by its name, which is the queue's."""
    command = [*celery, "worker", "-Q", queue, "-n", f"{queue}@%h", "--loglevel", "INFO"]
    command += ["--without-gossip", "--without-mingle", *options]
    return Child(name, command, partial(_worker_answers, nodename(queue, gethostname())))


def _web_answers(port: int) -> bool:
    """Whether a thread of Django's answers, whatever; ``/healthz`` would do without one."""
    try:
        _HTTP.get(f"http://{_HOST}:{port}/")
    except httpx.HTTPError:
        return False
    return True


def _worker_answers(node: str) -> bool:
    from smplat.celery import app

    try:
        return bool(app.control.ping(destination=[node], timeout=3))
    except (OperationalError, OSError):
        # A broker that is away says nothing about the worker.
        return True


def _beat_answers(var_dir: Path) -> bool:
    from smplat.beat import BEAT_HEARTBEAT

    try:
        return time.time() - (var_dir / BEAT_HEARTBEAT).stat().st_mtime < _MAX_HEARTBEAT_AGE_SECONDS
    except OSError:
        return False


def _wait_until_ready(url: str, supervisor: Supervisor) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not supervisor.is_stopping:
        try:
            answer = _HTTP.get(url)
            if answer.is_success:
                return
            problem = answer.text
        except httpx.HTTPError as error:
            problem = type(error).__name__
        if time.monotonic() > deadline:
            raise StartError(f"it is not ready after {_READY_SECONDS:.0f} s: {problem}")
        time.sleep(0.1)


def _announce(base_url: str, user: str, password: str, key: str) -> None:
    print(  # noqa: T201
        f"\nSMPLAT is running at {base_url}\n"
        f"  Operator pages  {base_url}/admin/reports\n"
        f"  Sign in as      {user}\n"
        f"  Password        {password}\n"
        f"  API key         {key}\n"
        "Ctrl-C stops everything; the data stays.\n",
        flush=True,
    )


if __name__ == "__main__":
    main()
