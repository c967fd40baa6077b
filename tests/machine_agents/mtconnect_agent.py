"""An MTConnect agent as the standard describes one: a ring of observations by sequence number, probe, current, sample
with streaming, errors. It can be cut off, stalled, and begun anew with another instance id."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse
from xml.sax.saxutils import escape, quoteattr

_BOUNDARY = "a-boundary-of-the-test"


@dataclass
class Kept:
    """An observation in the ring."""

    sequence: int
    item: str
    time: datetime
    text: str


@dataclass
class MtConnectAgent:
    """`devices` is the content of its Devices element. `refusing`: lines are dropped at once; `stalled`: nothing is
    sent although the line is up."""

    devices: str
    size: int = 4096
    url: str = ""
    instance: int = 1
    next: int = 1
    refusing: bool = False
    stalled: bool = False
    streams: int = 0
    ring: "deque[Kept]" = field(default_factory=deque)
    evicted: dict[str, Kept] = field(default_factory=dict)
    lock: threading.Condition = field(default_factory=threading.Condition)
    lines: int = 0

    def add(self, item: str, text: object, moment: datetime | None = None) -> None:
        with self.lock:
            self.ring.append(Kept(self.next, item, moment or datetime.now(UTC), str(text)))
            self.next += 1
            if len(self.ring) > self.size:
                gone = self.ring.popleft()
                self.evicted[gone.item] = gone
            self.lock.notify_all()

    def begin_anew(self) -> None:
        """As a restart of the agent: its buffer is lost and counts from 1 again."""
        with self.lock:
            self.instance += 1
            self.ring.clear()
            self.evicted.clear()
            self.next, self.lines = 1, self.lines + 1
            self.lock.notify_all()

    def cut(self) -> None:
        """Drop every open line."""
        with self.lock:
            self.lines += 1
            self.lock.notify_all()

    def wait_for_news(self, after: int, line: int, seconds: float) -> None:
        """Until there is an observation from sequence `after` on, the line is cut, or the time is over."""
        with self.lock:
            self.lock.wait_for(lambda: self.next > after or line != self.lines, timeout=seconds)

    @property
    def first(self) -> int:
        return self.ring[0].sequence if self.ring else self.next

    def current(self, at: int | None) -> str:
        with self.lock:
            if at is not None and not self.first <= at < self.next:
                return self.error("OUT_OF_RANGE", f"'at' must be between {self.first} and {self.next - 1}")
            values = dict(self.evicted)
            values |= {kept.item: kept for kept in self.ring if at is None or kept.sequence <= at}
            return self.document(list(values.values()), self.next)

    def sample(self, start: int, count: int) -> tuple[str, int]:
        with self.lock:
            if not self.first <= start <= self.next:
                return self.error("OUT_OF_RANGE", f"'from' must be between {self.first} and {self.next}"), start
            found = [kept for kept in self.ring if kept.sequence >= start][:count]
            after = found[-1].sequence + 1 if found else max(start, self.next)
            return self.document(found, after), after

    def document(self, kept: list[Kept], after: int) -> str:
        lines = "".join(
            f"<Value dataItemId={quoteattr(one.item)} sequence='{one.sequence}' "
            f"timestamp='{one.time.isoformat().replace('+00:00', 'Z')}'>{escape(one.text)}</Value>"
            for one in kept
        )
        return (
            "<?xml version='1.0' encoding='UTF-8'?><MTConnectStreams xmlns='urn:mtconnect.org:MTConnectStreams:1.7'>"
            f"{self.header(after)}<Streams><DeviceStream name='Mill' uuid='U-1'><ComponentStream component='Path' "
            f"componentId='p'><Samples>{lines}</Samples><Condition><Normal dataItemId='cond' sequence='1' "
            "timestamp='2026-01-01T00:00:00Z' type='LOAD'/></Condition></ComponentStream></DeviceStream></Streams>"
            "</MTConnectStreams>"
        )

    def header(self, after: int) -> str:
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        return (
            f"<Header creationTime='{now}' instanceId='{self.instance}' bufferSize='{self.size}' version='1.7' "
            f"firstSequence='{self.first}' lastSequence='{self.next - 1}' nextSequence='{after}'/>"
        )

    def error(self, code: str, text: str) -> str:
        return (
            "<MTConnectError xmlns='urn:mtconnect.org:MTConnectError:1.7'>"
            f"{self.header(1)}<Errors><Error errorCode='{code}'>{escape(text)}</Error></Errors></MTConnectError>"
        )

    def probe(self) -> str:
        return (
            "<MTConnectDevices xmlns='urn:mtconnect.org:MTConnectDevices:1.7'>"
            f"{self.header(self.next)}<Devices>{self.devices}</Devices></MTConnectDevices>"
        )


@contextmanager
def mtconnect_agent(devices: str, *, size: int = 4096) -> Iterator[MtConnectAgent]:
    """The agent on a free port of this machine."""
    agent = MtConnectAgent(devices, size)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if agent.refusing:
                self.close_connection = True
                return
            asked = urlparse(self.path)
            values = {name: int(found[0]) for name, found in parse_qs(asked.query).items()}
            what = asked.path.rsplit("/", 1)[-1]
            if what == "sample" and "interval" in values:
                self._stream(values)
            elif what == "sample":
                self._answer(agent.sample(values.get("from", agent.first), values.get("count", 100))[0])
            elif what == "current":
                self._answer(agent.current(values.get("at")))
            else:
                self._answer(agent.probe())

        def _answer(self, text: str) -> None:
            content = text.encode()
            self.send_response(404 if "MTConnectError" in text else 200)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _stream(self, asked: dict[str, int]) -> None:
            text, after = agent.sample(asked["from"], asked["count"])
            if "MTConnectError" in text:
                self._answer(text)
                return
            agent.streams += 1
            line = agent.lines
            self.send_response(200)
            self.send_header("Content-Type", f"multipart/x-mixed-replace;boundary={_BOUNDARY}")
            self.end_headers()
            self.close_connection = True
            while line == agent.lines and not agent.refusing:
                if not agent.stalled:
                    self._part(text)
                agent.wait_for_news(after, line, asked["heartbeat"] / 1000)
                time.sleep(asked["interval"] / 1000)  # the stream's own pace, as asked for
                if agent.stalled:
                    continue
                text, after = agent.sample(after, asked["count"])
                if "MTConnectError" in text:
                    return

        def _part(self, text: str) -> None:
            content = text.encode()
            head = f"\r\n--{_BOUNDARY}\r\nContent-type: text/xml\r\nContent-length: {len(content)}\r\n\r\n"
            self.wfile.write(head.encode() + content)
            self.wfile.flush()

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A line that the other side dropped is nothing to report."""

    server = Server(("127.0.0.1", 0), Handler)
    agent.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield agent
    finally:
        agent.refusing = True
        agent.cut()
        server.shutdown()
        server.server_close()
        thread.join()
