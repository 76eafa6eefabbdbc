"""Asking programs for signs of life."""

import threading

from smplat import supervisor
from tests.e2e.desk import wait_for


class Program:
    """A program that runs, and whose first question fails in an unforeseen way."""

    name = "program"

    def __init__(self) -> None:
        self.asked = 0

    def start(self) -> None:
        """It runs already."""

    def has_ended(self) -> bool:
        return False

    def answers(self) -> bool:
        self.asked += 1
        if self.asked == 1:
            raise ValueError("not foreseen")
        return True

    def kill(self) -> None:
        """Nobody does."""


def test_it_is_asked_again_after_a_question_that_failed(monkeypatch, capfd):
    monkeypatch.setattr(supervisor, "_PROBE_PAUSE_SECONDS", 0.01)
    watch, is_over = supervisor._Watch(Program()), threading.Event()
    asking = threading.Thread(target=watch.ask, args=[is_over])
    asking.start()

    wait_for(lambda: watch.last_sign_at > 0, 60)

    is_over.set()
    asking.join()
    assert "program could not be asked (ValueError)" in capfd.readouterr().err
