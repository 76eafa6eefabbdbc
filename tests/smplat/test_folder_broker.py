"""The broker that is a folder: no message and no table is seen before it is whole."""

import threading
from pathlib import Path
from queue import Empty

import pytest
from django.conf import settings
from kombu import Connection, Exchange, Queue

from smplat import folder_broker  # noqa: F401

MESSAGES = 2_000


@pytest.fixture
def connection(tmp_path):
    """A connection to a broker of the test's own."""
    (tmp_path / "messages").mkdir()
    folders = {"data_folder_in": f"{tmp_path}/messages", "data_folder_out": f"{tmp_path}/messages"}
    options = {**folders, "control_folder": f"{tmp_path}/control"}
    with Connection(settings.CELERY_BROKER_URL, transport_options=options) as found:
        yield found


def test_a_reader_beside_a_writer_gets_every_message_whole_and_once(connection):
    writer, reader = connection.channel(), connection.channel()
    numbers: list[int] = []
    writing = threading.Thread(target=lambda: [writer._put("tasks", {"n": n, "x": "x" * 999}) for n in range(MESSAGES)])
    writing.start()
    while len(numbers) < MESSAGES:
        try:
            numbers.append(reader._get("tasks")["n"])
        except Empty:
            assert writing.is_alive() or len(numbers) == MESSAGES or any(_messages(reader))
    writing.join()

    assert sorted(numbers) == list(range(MESSAGES))


def test_a_table_is_read_whole_while_queues_are_bound_for_the_first_time(connection):
    problems: list[Exception] = []
    is_over = threading.Event()

    def read() -> None:
        channel = connection.channel()
        while not is_over.is_set():
            for number in range(200):
                try:
                    channel.get_table(f"e{number}")
                except ValueError as error:
                    problems.append(error)

    reading = threading.Thread(target=read)
    reading.start()
    for number in range(200):
        Queue("tasks", Exchange(f"e{number}", "fanout"), channel=connection.channel()).declare()
    is_over.set()
    reading.join()

    assert problems == []
    assert [entry.queue for entry in connection.channel().get_table("e7")] == ["tasks"]


def test_nothing_unfinished_stays(connection, tmp_path):
    channel = connection.channel()
    channel._put("tasks", {})
    channel._queue_bind("e", "", "", "tasks")

    assert sorted(path.suffix for path in Path(tmp_path).rglob("*") if path.is_file()) == [".exchange", ".msg"]


def _messages(channel):
    return Path(channel.data_folder_in).glob("*.msg")
