"""A link that can be spoiled: TCP connections passed on to a server until they are cut, stalled or delayed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class Proxy:
    """Listens on a port of its own. Faults act on the connections that are open and on those that come."""

    def __init__(self, target: str) -> None:
        """`target` is the server's URL."""
        parts = urlsplit(target)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 4840
        self._flows = asyncio.Event()
        self._flows.set()
        self._refuses = False
        self._pairs: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.delay_seconds = 0.0
        self.accepted = 0

    @property
    def url(self) -> str:
        """Where clients connect to."""
        assert self._server is not None
        return f"opc.tcp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def reset(self) -> None:
        """End every connection at once, with a reset; new ones are let through."""
        for writer in list(self._writers):
            writer.transport.abort()

    def cut(self) -> None:
        """No connection any more, neither old nor new."""
        self._refuses = True
        self.reset()

    def stall(self) -> None:
        """Connections stay open and new ones are accepted, but no byte passes: what a dead link looks like."""
        self._flows.clear()

    def mend(self) -> None:
        """As if nothing had been; what was stalled is passed on."""
        self._refuses = False
        self._flows.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._pairs.add(task)
        self._writers.add(writer)
        try:
            if not self._refuses:
                await self._flows.wait()
                await self._join(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # asyncio's own callback would print the cancellation of a connection as an error
        finally:
            self._pairs.discard(task)
            self._writers.discard(writer)
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        self._writers.add(far_writer)
        ways = [
            asyncio.create_task(self._pass(reader, far_writer)),
            asyncio.create_task(self._pass(far_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._writers.discard(far_writer)
            far_writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self._flows.wait()
            if self.delay_seconds:
                await asyncio.sleep(self.delay_seconds)
            writer.write(data)
            await writer.drain()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._pairs):
            task.cancel()
        await asyncio.gather(*self._pairs, return_exceptions=True)


@asynccontextmanager
async def proxied(target: str) -> AsyncIterator[Proxy]:
    """A proxy in front of `target` for as long as it is needed."""
    proxy = Proxy(target)
    await proxy.start()
    try:
        yield proxy
    finally:
        with contextlib.suppress(OSError):
            await proxy.stop()
