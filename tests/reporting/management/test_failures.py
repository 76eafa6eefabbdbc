"""How commands fail: with one line, and with a traceback where that is asked for."""

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import CommandError
from django.db import OperationalError

from reporting.management.base import OneLineCommand
from reporting.warehouse import script
from tests.database import capture_quick_orders

COMMANDS = sorted(name for name, app in get_commands().items() if app in {"telemetry", "reporting"})


def failed(name: str, *arguments: str) -> int:
    """The exit code of a command that fails."""
    command = load_command_class(get_commands()[name], name)
    with pytest.raises(SystemExit) as ended:
        command.run_from_argv(["manage.py", name, *arguments])
    return int(ended.value.code or 0)


@pytest.fixture(
    params=[
        (OSError(28, "No space left on device"), 1, "Failed: OSError: [Errno 28] No space left on device"),
        (OperationalError("connection failed:\n\trefused"), 1, "Failed: OperationalError: connection failed: refused"),
        (KeyError(), 1, "Failed: KeyError"),
        (KeyboardInterrupt(), 1, "Stopped by hand."),
        (CommandError("the flags do not go together", returncode=2), 2, "CommandError: the flags do not go together"),
    ],
    ids=["disk", "database", "defect", "interrupt", "usage"],
)
def failure(request, monkeypatch):
    """A command that fails: the exit code, and how its line begins."""
    error, code, line = request.param

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(script, "text", fail)
    return code, line


class TestLine:
    def test_it_is_the_only_one_and_says_why(self, failure, capsys):
        code, line = failure

        assert failed("warehouse_sql") == code

        said = capsys.readouterr().err.splitlines()
        assert len(said) == 1
        assert said[0].startswith(line)

    def test_a_traceback_comes_where_it_is_asked_for_and_the_exit_code_stays(self, failure, capsys):
        code, _ = failure

        assert failed("warehouse_sql", "--traceback") == code

        assert "Traceback (most recent call last)" in capsys.readouterr().err

    @pytest.mark.parametrize("name", COMMANDS)
    def test_every_command_fails_so(self, name):
        assert isinstance(load_command_class(get_commands()[name], name), OneLineCommand)


@pytest.mark.django_db(transaction=True)
class TestLog:
    @pytest.mark.habit(
        "A failed script says why in one line, which cron sends on.",
        "A failed command prints one line; the traceback comes with `--traceback`.",
    )
    @pytest.mark.parametrize(("flags", "logged"), [([], 0), (["--traceback"], 1)])
    def test_what_is_logged_with_a_traceback_is_left_to_those_who_ask(self, flags, logged, tmp_path, caplog):
        capture_quick_orders(1)
        (tmp_path / "lake").write_text("a file is in the way")

        assert failed("run_export", "quick_order", *flags) == 1

        assert len([record for record in caplog.records if record.exc_info]) == logged
