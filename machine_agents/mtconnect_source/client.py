"""An MTConnect agent over HTTP: documents asked for one by one, and the stream of `sample` as its parts arrive."""

from collections.abc import AsyncIterator

import httpx

from machine_agents.mtconnect_source.config import MtConnectConfig
from machine_agents.mtconnect_source.streams import BadAnswer, Streams, parse_streams
from machine_agents.mtconnect_xml import MAX_BYTES

_MAX_PART_HEADER = 4_096


class MtConnectClient:
    """Talks with one agent about one device. Every wait has the connection's limit; a stream's is its heartbeat's."""

    def __init__(self, config: MtConnectConfig) -> None:
        self._config = config
        limit = httpx.Timeout(config.request_seconds, read=config.request_seconds + config.heartbeat_ms / 1000)
        self._client = httpx.AsyncClient(base_url=config.endpoint, timeout=limit, headers={"Accept": "text/xml"})
        self._path = ""

    async def close(self) -> None:
        await self._client.aclose()

    def choose(self, device: str) -> None:
        """Ask about this device (name or uuid) from now on."""
        self._path = f"/{device}" if device else ""

    async def probe(self) -> bytes:
        """The Devices document."""
        return await self._document("/probe", {})

    async def current(self, at: int | None = None) -> Streams:
        """The values in force, or as they were at a sequence number. OutOfRange."""
        return parse_streams(await self._document(f"{self._path}/current", {} if at is None else {"at": at}))

    async def sample(self, start: int) -> AsyncIterator[Streams]:
        """Answers from sequence number `start` on as they arrive; an empty one now and then while nothing happens.

        OutOfRange when the agent does not have `start` any more. Ends when the agent ends the stream.
        """
        asked = {
            "from": start,
            "count": self._config.count,
            "interval": self._config.interval_ms,
            "heartbeat": self._config.heartbeat_ms,
        }
        async with self._client.stream("GET", f"{self._path}/sample", params=asked) as answer:
            kind = answer.headers.get("content-type", "")
            if not kind.startswith("multipart/"):
                # Errors come as a plain document, and so does everything from an agent that cannot stream.
                yield parse_streams(await _limited(answer))
                return
            async for part in _parts(answer.aiter_bytes(), _boundary(kind)):
                yield parse_streams(part)

    async def _document(self, path: str, asked: dict[str, int]) -> bytes:
        async with self._client.stream("GET", path, params=asked) as answer:
            return await _limited(answer)


async def _limited(answer: httpx.Response) -> bytes:
    """The body. An agent's error document comes with a status of its own kind, so only what is no XML is refused."""
    content = bytearray()
    async for piece in answer.aiter_bytes():
        content += piece
        if len(content) > MAX_BYTES:
            raise BadAnswer(f"an answer of more than {MAX_BYTES} bytes")
    if not answer.is_success and b"MTConnectError" not in content:
        raise BadAnswer(f"the agent answers {answer.status_code} {answer.reason_phrase}")
    return bytes(content)


def _boundary(kind: str) -> bytes:
    for parameter in kind.split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "boundary" and value:
            return b"--" + value.strip('"').encode()
    raise BadAnswer(f"a stream without a boundary: {kind!r}")


async def _parts(pieces: AsyncIterator[bytes], boundary: bytes) -> AsyncIterator[bytes]:
    """The bodies of a multipart stream, each as soon as it is whole, by its Content-length."""
    waiting = bytearray()
    async for piece in pieces:
        waiting += piece
        while (part := _take_part(waiting, boundary)) is not None:
            yield part


def _take_part(waiting: bytearray, boundary: bytes) -> bytes | None:
    """Take the first whole part out of `waiting`; None while there is none."""
    start = waiting.find(boundary)
    if start < 0:
        if len(waiting) > _MAX_PART_HEADER:
            raise BadAnswer("the stream does not hold its boundary")
        return None
    head_end, gap = waiting.find(b"\r\n\r\n", start), 4
    if head_end < 0:
        head_end, gap = waiting.find(b"\n\n", start), 2
    if head_end < 0:
        if len(waiting) - start > _MAX_PART_HEADER:
            raise BadAnswer("a part of the stream has a header without an end")
        return None
    length = _length(bytes(waiting[start:head_end]))
    end = head_end + gap + length
    if len(waiting) < end:
        return None
    part = bytes(waiting[head_end + gap : end])
    del waiting[:end]
    return part


def _length(head: bytes) -> int:
    for line in head.decode("latin-1").splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-length" and value.strip().isdecimal():
            length = int(value)
            if length > MAX_BYTES:
                raise BadAnswer(f"a part of {length} bytes is more than {MAX_BYTES}")
            return length
    raise BadAnswer("a part of the stream does not say its length")
