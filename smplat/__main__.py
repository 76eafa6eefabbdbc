"""`python -m smplat capture`: the public capture routes by web processes of their own, which a proxy leads to.

So a busy storefront does not slow the desk. The desk itself, `make run`, has the same routes.
"""

import argparse
import os
import sys

from django.core.exceptions import ImproperlyConfigured

from smplat import embedded, web


def main() -> None:
    """Become the web server that the arguments ask for."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smplat.settings")
    try:
        from smplat import settings

        if settings.USES_EMBEDDED_DATABASE:
            embedded.start(settings.VAR_DIR)
    except ImproperlyConfigured as error:
        sys.exit(f"SMPLAT cannot start: {error}")
    arguments = _arguments(settings.WEB_CONCURRENCY)
    if arguments.processes > 1:
        web.share_metrics(settings.VAR_DIR / "capture-metrics")
    command = web.command("capture", arguments.host, arguments.port, arguments.processes)
    os.execv(command[0], command)


def _arguments(processes: int) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m smplat")
    roles = parser.add_subparsers(required=True)
    capture = roles.add_parser("capture", help="serve the public capture routes, /healthz, /readyz and /metrics alone")
    capture.add_argument("--host", default="127.0.0.1", help="the address to listen on (%(default)s)")
    capture.add_argument("--port", type=_positive, default=8001, help="the port (%(default)s)")
    capture.add_argument(
        "--processes", type=_positive, default=processes, help="how many processes (WEB_CONCURRENCY, %(default)s)"
    )
    return parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 65_535:
        raise ValueError
    return number


if __name__ == "__main__":
    main()
