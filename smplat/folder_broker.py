"""The broker of a desk without Redis: kombu's, whose messages are files of a folder, without its half-written files.

Kombu makes a file under its final name before it writes it. A worker that looks just then takes an empty message, and
ends with all that it is doing.
"""

import os
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

from kombu.transport import TRANSPORT_ALIASES
from kombu.transport.filesystem import Channel as KombuChannel
from kombu.transport.filesystem import Transport as KombuTransport
from kombu.utils.json import dumps


class Channel(KombuChannel):
    """Writes every file under another name first."""

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        """Add a message to a queue; files are taken in the order of their names."""
        name = f"{round(monotonic() * 1_000)}_{uuid4()}.{queue}.msg"
        target = Path(self.data_folder_out, name)
        os.replace(_written(target, dumps(payload)), target)

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str | None, queue: str) -> None:
        """Have messages to an exchange put into a queue; what is read meanwhile is the table before or after."""
        table: Path = self._exchange_file(exchange)  # type: ignore[attr-defined]
        if not table.exists():
            table.parent.mkdir(exist_ok=True)
            empty = _written(table, "[]")
            with suppress(FileExistsError):
                os.link(empty, table)
            empty.unlink()
        super()._queue_bind(exchange, routing_key, pattern, queue)


class Transport(KombuTransport):
    """Kombu's, with these channels."""

    Channel = Channel


def _written(target: Path, content: str) -> Path:
    """Write a file beside ``target`` that nobody looks for."""
    unfinished = target.with_name(f".{uuid4()}")
    unfinished.write_text(content)
    return unfinished


# Under this name settings call it.
TRANSPORT_ALIASES["folder"] = f"{__name__}:Transport"
