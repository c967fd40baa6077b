"""The line between agent and service: an HTTP proxy that spoils the n-th request as planned.

Bytes cannot be reordered or doubled inside a TCP connection, so those faults act on whole requests: one is sent to the
service twice, or is held back until the next has overtaken it.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.chaos.planned import Upload

_LONGEST_HEAD = 64 * 1024
_OVERTAKEN_SECONDS = 2.0
_LOOK_SECONDS = 0.01
_FAILURES = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError)


class _Cut(Exception):
    """The agent's connection ends here."""


@dataclass(frozen=True, slots=True)
class _Message:
    head: bytes
    body: bytes

    @property
    def whole(self) -> bytes:
        return self.head + self.body


class UploadLine:
    """Passes requests on to the service at `port`. `done` counts the faults that happened, by kind."""

    def __init__(self, port: int, faults: Sequence[Upload]) -> None:
        self._port = port
        self._faults = {one.nth: one for one in faults}
        self._requests = self._answered = 0
        self._news = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: set[asyncio.Task[None]] = set()
        self._under_way = 0
        self.done: Counter[str] = Counter()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_LONGEST_HEAD)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in (*self._tasks, *self._held):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._held, return_exceptions=True)

    async def quiet(self) -> None:
        """Wait until every request that came has reached the service or is lost, also if held back or doubled."""
        while self._held or self._under_way:
            await asyncio.gather(*self._held)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                request = await _read(reader)
                self._under_way += 1
                try:
                    answer = await self._exchange(request)
                finally:
                    self._under_way -= 1
                writer.write(answer.whole)
                await writer.drain()
        except (_Cut, asyncio.CancelledError, *_FAILURES):
            writer.transport.abort()
        finally:
            self._tasks.discard(task)

    async def _exchange(self, request: _Message) -> _Message:
        self._requests += 1
        fault = self._faults.get(self._requests)
        if fault is None:
            return await self._pass(request)
        self.done[fault.what] += 1
        return await self._spoiled(request, fault.what, fault.length_ms / 1000)

    async def _spoiled(self, request: _Message, what: str, seconds: float) -> _Message:
        if what in ("delay", "stall"):
            await asyncio.sleep(seconds)
        if what in ("cut before", "stall"):
            raise _Cut
        if what == "cut inside":
            await self._send_half(request)
            raise _Cut
        if what == "reorder":
            self._later(self._overtaken(request, seconds))
            raise _Cut
        if what == "duplicate at once":
            self._later(self._again(request))
        answer = await self._pass(request)
        if what == "duplicate":
            answer = await self._pass(request)
        if what in ("half-open", "delay answer"):
            await asyncio.sleep(seconds)
        if what in ("cut after", "half-open"):
            raise _Cut
        return answer

    async def _pass(self, request: _Message) -> _Message:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(request.whole)
            await writer.drain()
            answer = await _read(reader)
        finally:
            writer.transport.abort()
        async with self._news:
            self._answered += 1
            self._news.notify_all()
        return answer

    async def _send_half(self, request: _Message) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(request.whole[: len(request.whole) - max(1, len(request.body) // 2)])
        await writer.drain()
        writer.transport.abort()

    async def _overtaken(self, request: _Message, seconds: float) -> None:
        """Deliver it after the next request was answered, and a while later still."""
        seen = self._answered
        async with self._news:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_OVERTAKEN_SECONDS):
                    await self._news.wait_for(lambda: self._answered > seen)
        await asyncio.sleep(seconds)
        await self._again(request)

    async def _again(self, request: _Message) -> None:
        with contextlib.suppress(*_FAILURES):
            await self._pass(request)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._held.add(task)
        task.add_done_callback(self._held.discard)


async def _read(reader: asyncio.StreamReader) -> _Message:
    """One message of HTTP/1.1: its head, and its body by length or in chunks."""
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(_field(line) for line in head.split(b"\r\n")[1:] if b":" in line)
    if b"chunked" in fields.get(b"transfer-encoding", b""):
        return _Message(head, await _read_chunks(reader))
    return _Message(head, await reader.readexactly(int(fields.get(b"content-length", b"0"))))


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name.strip().lower(), value.strip().lower()


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while True:
        size = await reader.readuntil(b"\r\n")
        chunk = await reader.readexactly(int(size, 16) + 2)
        body += size + chunk
        if size.strip() == b"0":
            return body
