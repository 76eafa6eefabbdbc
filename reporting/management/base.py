"""What our commands have in common: one line that says why one failed, and a traceback only where it is wanted."""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import BaseCommand, CommandError


class OneLineCommand(BaseCommand):
    """A command that fails with one line on stderr, whatever the reason; ``--traceback`` adds the traceback."""

    # The checks look at declarations, which do not change from hour to hour, and load every page to do so.
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Run the command, and exit with 1, or with the exit code of its error, where it fails."""
        is_wanted = "--traceback" in argv
        try:
            with _tracebacks_in_the_log(is_wanted):
                super().run_from_argv(argv)
        except (Exception, KeyboardInterrupt) as error:
            if is_wanted:
                traceback.print_exc()
            else:
                self.stderr.write(_line(error))
            sys.exit(error.returncode if isinstance(error, CommandError) else 1)


@contextmanager
def _tracebacks_in_the_log(is_wanted: bool) -> Iterator[None]:
    """Keep what is logged with a traceback out of the log, unless it is wanted; the command says the same itself."""
    handlers = () if is_wanted else tuple(logging.getLogger().handlers)
    for handler in handlers:
        handler.addFilter(_has_no_traceback)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(_has_no_traceback)


def _has_no_traceback(record: logging.LogRecord) -> bool:
    return not record.exc_info


def _line(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "Stopped by hand."
    reason = " ".join(str(error).split())
    return f"Failed: {type(error).__name__}{f': {reason}' if reason else ''} (--traceback shows where)"
