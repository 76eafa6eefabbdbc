"""Servers of others that take requests and say nothing: exports and capture do not notice."""

import socket
import threading
from contextlib import closing

from tests.e2e.desk import Desk, wait_for
from tests.factories import quick_order_event
from tests.fakes import mute, tcp_server
from tests.http_client import HTTP


def test_exports_go_on_beside_forwards_and_messages_that_hang(tmp_path):
    asked = []

    def hang(client: socket.socket, is_over: threading.Event) -> None:
        asked.append(client)
        mute(client, is_over)

    with tcp_server(hang) as endpoint, tcp_server(mute) as slack:
        settings = {"TELEMETRY_ENDPOINT": f"http://{endpoint}/", "SLACK_WEBHOOK_URL": f"http://{slack}/"}
        desk = Desk(tmp_path / "var", **settings).start()
        try:
            for _ in range(50):
                HTTP.post(f"{desk.url}/api/telemetry", json=quick_order_event()).raise_for_status()
            wait_for(lambda: len(asked) >= 8, 60)
            with closing(desk.operator()) as operator:
                path = desk.start_run(operator)
                wait_for(lambda: "desk-state-succeeded" in operator.get(path).text, 60)
            # The other bodies still wait, since the endpoint had answered nothing by then.
            assert len(asked) < 50
        finally:
            desk.stop()
