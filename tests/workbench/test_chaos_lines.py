"""The lines of the fault runs do what the plan says, to real connections."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from workbench.chaos.link import Link
from workbench.chaos.plan import Upload
from workbench.chaos.uploads import UploadLine


@dataclass
class Service:
    """An HTTP server that answers with what it was sent, and remembers it; a half request is not one."""

    got: list[str] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length:")[2].split()[0])
            body = await reader.readexactly(size)
        except (asyncio.IncompleteReadError, OSError):
            writer.transport.abort()
            return
        self.got.append(body.decode())
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (size, body))
        await writer.drain()
        writer.close()


@asynccontextmanager
async def lines(*faults: Upload) -> AsyncIterator[tuple[Service, UploadLine, httpx.AsyncClient]]:
    service = Service()
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    line = UploadLine(server.sockets[0].getsockname()[1], faults)
    await line.start()
    try:
        async with httpx.AsyncClient(base_url=line.url, timeout=20) as client:
            yield service, line, client
    finally:
        await line.stop()
        server.close()


async def send(client: httpx.AsyncClient, texts: Sequence[str]) -> list[str]:
    """Each text in turn; what was answered, "" where the connection broke."""
    answers = []
    for text in texts:
        try:
            answers.append((await client.post("/", content=text)).text)
        except httpx.TransportError:
            answers.append("")
    return answers


@pytest.mark.parametrize(
    ("what", "answers", "got"),
    [
        ("duplicate", ["a", "b"], ["a", "a", "b"]),
        ("duplicate at once", ["a", "b"], ["a", "a", "b"]),
        ("cut before", ["", "b"], ["b"]),
        ("cut after", ["", "b"], ["a", "b"]),
        ("cut inside", ["", "b"], ["b"]),
        ("reorder", ["", "b"], ["b", "a"]),
        ("stall", ["", "b"], ["b"]),
        ("half-open", ["", "b"], ["a", "b"]),
        ("delay", ["a", "b"], ["a", "b"]),
        ("delay answer", ["a", "b"], ["a", "b"]),
    ],
)
def test_the_planned_request_alone_is_spoiled(what: str, answers: list[str], got: list[str]) -> None:
    async def run() -> None:
        async with lines(Upload(1, what, 20)) as (service, line, client):
            assert await send(client, ["a", "b"]) == answers
            await line.quiet()
            assert sorted(service.got) == sorted(got)
            if what != "duplicate at once":  # its second one may come before or after what follows
                assert service.got == got
            assert dict(line.done) == {what: 1}

    asyncio.run(run())


@asynccontextmanager
async def linked() -> AsyncIterator[tuple[Link, list[bytes], asyncio.StreamReader, asyncio.StreamWriter]]:
    """A link to a server that says everything back, what came there, and a connection over it."""
    came: list[bytes] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            came.append(data)
            writer.write(data)

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    link = Link(f"opc.tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await link.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(link.url.rpartition(":")[2]))
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"
        yield link, came, reader, writer
        writer.transport.abort()
    finally:
        await link.stop()
        server.close()


def test_a_half_open_connection_swallows_everything_and_is_reset_when_the_line_is_mended() -> None:
    async def run() -> None:
        async with linked() as (link, came, reader, writer):
            link.spoil("half-open", 1)
            writer.write(b"two")
            fresh_reader, fresh = await asyncio.open_connection("127.0.0.1", int(link.url.rpartition(":")[2]))
            fresh.write(b"new")
            assert await fresh_reader.readexactly(3) == b"new"
            assert came == [b"one", b"new"]
            link.mend()
            with pytest.raises(ConnectionError):
                await reader.readexactly(1)
            fresh.transport.abort()

    asyncio.run(run())


@pytest.mark.parametrize("what", ["stall", "delay"])
def test_what_waits_on_a_line_arrives_when_it_is_mended(what: str) -> None:
    async def run() -> None:
        async with linked() as (link, _, reader, writer):
            link.spoil(what, 2)
            writer.write(b"two")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.1)
            link.mend()
            assert await reader.readexactly(3) == b"two"

    asyncio.run(run())


@pytest.mark.parametrize("what", ["cut", "reset"])
def test_a_cut_ends_connections_at_once_and_a_cut_line_takes_no_new_ones(what: str) -> None:
    async def run() -> None:
        async with linked() as (link, _, reader, _writer):
            link.spoil(what, 1)
            with pytest.raises(ConnectionError):
                await reader.readexactly(1)
            again, writer = await asyncio.open_connection("127.0.0.1", int(link.url.rpartition(":")[2]))
            writer.write(b"two")
            if what == "cut":
                with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                    await again.readexactly(3)
            else:
                assert await again.readexactly(3) == b"two"
            writer.transport.abort()

    asyncio.run(run())
