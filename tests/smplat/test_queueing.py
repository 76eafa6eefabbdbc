"""Nobody waits for a broker that is away."""

import time
from typing import Any

import pytest

from smplat.celery import app
from smplat.lib import queueing
from tests.fakes import closed_port_url, mute, tcp_server


@pytest.fixture
def broker_at():
    """Makes an address the broker's."""
    before = app.conf.broker_write_url, app.conf.broker_transport_options

    def use(url: str, options: dict[str, Any]) -> None:
        app.loader.import_default_modules()
        app.conf.update(broker_write_url=url, broker_transport_options=options)
        for holder, name in ((app.amqp, "_producer_pool"), (app, "_pool")):
            setattr(holder, name, None)

    yield lambda address: use(f"redis://{address}/0", {"socket_connect_timeout": 2, "socket_timeout": 2})
    use(*before)


def seconds_to_queue() -> float:
    began = time.monotonic()
    assert not queueing.queue_task("reporting.close_crashed_runs")
    return time.monotonic() - began


@pytest.mark.parametrize("is_mute", [False, True], ids=["refuses", "says nothing"])
def test_it_is_waited_for_half_a_second_and_then_not_asked(broker_at, is_mute):
    with tcp_server(mute) as silent:
        broker_at(silent if is_mute else closed_port_url().removeprefix("http://"))

        assert seconds_to_queue() < 1.9
        assert max(seconds_to_queue() for _ in range(5)) < 0.4


def test_it_is_asked_again_after_the_pause(monkeypatch):
    asked, answers = [], [OSError("no broker")]

    def apply_async(*_: object, **__: object) -> None:
        asked.append(1)
        if answers:
            raise answers.pop()

    app.loader.import_default_modules()
    monkeypatch.setattr(app.tasks["reporting.close_crashed_runs"], "apply_async", apply_async)
    seconds_to_queue()
    seconds_to_queue()
    assert len(asked) == 1
    monkeypatch.setattr(queueing.PUBLISHER, "_silent_until", time.monotonic())

    assert queueing.queue_task("reporting.close_crashed_runs")
    assert len(asked) == 2
