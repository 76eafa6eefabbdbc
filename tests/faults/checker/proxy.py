"""A TCP proxy that spoils what goes through it."""

import asyncio
import threading
from contextlib import suppress
from enum import StrEnum

_CHUNK_BYTES = 65_536
_DRIP_SECONDS = 0.1


class Mode(StrEnum):
    """What is done to connections."""

    PASS = "passing"
    REFUSE = "refusing"
    HANG = "hanging"
    DRIP = "dripping"
    TRUNCATE = "truncating"
    FORBIDDEN = "403"
    TOO_MANY = "429"
    BROKEN = "500"
    UNAVAILABLE = "503"


#: The modes that make sense below HTTP.
TCP_MODES = (Mode.REFUSE, Mode.HANG, Mode.DRIP, Mode.TRUNCATE)
HTTP_MODES = (*TCP_MODES, Mode.FORBIDDEN, Mode.TOO_MANY, Mode.BROKEN, Mode.UNAVAILABLE)


class Proxy:
    """Stands between the desk and another server, in a thread of its own.

    In the mode ``HANG`` connections stay open and nothing more comes through them, then or later: what was lost on the
    way does not arrive when the network is back. Every other change of the mode cuts the connections.

    Args:
        port: where the server listens on the loopback interface.
    """

    def __init__(self, port: int) -> None:
        self._upstream, self._mode = port, Mode.PASS
        self._connections: set[_Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = int(self._server.sockets[0].getsockname()[1])
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def set(self, mode: Mode) -> None:
        """Go over to ``mode``; return when it holds."""
        asyncio.run_coroutine_threadsafe(self._set(mode), self._loop).result(10)

    async def _set(self, mode: Mode) -> None:
        self._mode = mode
        for connection in list(self._connections):
            if mode is Mode.HANG:
                connection.is_hanging = True
            elif not connection.is_hanging:
                connection.cut()

    def close(self) -> None:
        """Cut everything and end the thread."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(self._mode, reader, writer)
        self._connections.add(connection)
        try:
            # Python 3.11 prints a task of a connection that was cancelled.
            with suppress(OSError, EOFError, asyncio.LimitOverrunError, asyncio.CancelledError):
                await connection.serve(self._upstream)
        finally:
            self._connections.discard(connection)
            connection.cut()


class _Connection:
    """One connection of a client, in the mode in which it was made."""

    def __init__(self, mode: Mode, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._mode, self._reader, self._writer = mode, reader, writer
        self._upstream: asyncio.StreamWriter | None = None
        self.is_hanging = mode is Mode.HANG

    async def serve(self, port: int) -> None:
        if self._mode is Mode.REFUSE:
            return
        if self._mode.isdigit():
            await self._answer()
        else:
            await self._pass_on(port)

    def cut(self) -> None:
        for writer in (self._writer, self._upstream):
            if writer is not None:
                writer.transport.abort()

    async def _answer(self) -> None:
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if b"expect: 100-continue" not in head:
            await self._reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0] or 0))
        answer = f"HTTP/1.1 {self._mode} Fault\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        self._writer.write(answer.encode())
        await self._writer.drain()
        self._writer.write_eof()
        await self._reader.read()

    async def _pass_on(self, port: int) -> None:
        reader, self._upstream = await asyncio.open_connection("127.0.0.1", port)
        ways = [
            asyncio.ensure_future(self._pump(self._reader, self._upstream, Mode.PASS)),
            asyncio.ensure_future(self._pump(reader, self._writer, self._mode)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, mode: Mode) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            if self.is_hanging:
                # What comes is taken and goes nowhere, until the other side gives up.
                continue
            if mode is Mode.TRUNCATE:
                writer.write(chunk[: len(chunk) // 2])
                await writer.drain()
                return
            if mode is Mode.DRIP:
                await self._drip(chunk, writer)
            else:
                writer.write(chunk)
                await writer.drain()

    async def _drip(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        for byte in chunk:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(_DRIP_SECONDS)
