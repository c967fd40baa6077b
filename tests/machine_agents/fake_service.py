"""A real HTTP server that takes readings as the service's contract says, and that can misbehave on demand."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from metering import ocmf
from metering.reading import GENESIS

TOKEN = "token of the test"
CODE = "one-time code"


@dataclass
class FakeService:
    """What it stored, by pagination, and every batch it was sent. `faults` are used up one per request:
    an HTTP status to answer with, "lost answer" (stores, then drops the line) or "drop" (drops at once)."""

    url: str = ""
    key: str = ""
    stored: dict[int, str] = field(default_factory=dict)
    batches: list[list[int]] = field(default_factory=list)
    faults: list[int | str] = field(default_factory=list)
    refuse: dict[int, str] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)
    settled: set[int] = field(default_factory=set)
    named: list[str | None] = field(default_factory=list)
    most: int = 1000
    marks_refused: bool = True
    tells_chain: bool = True
    told_keys: list[int] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    schedule: tuple[int, str] | None = None
    schedule_key: str = ""
    asked: list[str | None] = field(default_factory=list)

    @property
    def high_water(self) -> int:
        number = 0
        while number + 1 in self.stored or (self.marks_refused and number + 1 in self.refused):
            number += 1
        return number

    def enrol(self, body: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if body["code"] != CODE:
            return 404, {"title": "unknown code", "status": 404, "what_to_do": "ask the operator for a new code"}
        if self.key and self.key != body["public_key_pem"]:
            return 409, {"title": "code used by another key", "status": 409}
        self.key = body["public_key_pem"]
        return 201, {"agent_id": "agent-1", "meter_serial": "M-1", "machine_model": "Mill", "token": TOKEN}

    def chain_end(self) -> dict[str, Any]:
        """The end of the chain and every spectrum cell up to it."""
        number = max(self.stored, default=0)
        cells: dict[str, dict[int, int]] = {}
        for each in range(1, number + 1):
            for reading in ocmf.parse(self.stored[each]).record.readings if each in self.stored else ():
                for (spindle, key), ms in reading.spectrum.items():
                    cells.setdefault(spindle, {})[key] = ms
        flat = {spindle: [part for pair in sorted(found.items()) for part in pair] for spindle, found in cells.items()}
        text = self.stored.get(number, "")
        return {"pagination": number, "digest": ocmf.parse(text).digest if text else GENESIS, "text": text,
                "spectrum": flat}  # fmt: skip

    def polled(self, known: str | None) -> dict[str, Any]:
        """The schedule, for who knows an older one; `asked` tells what each request said it knows."""
        self.asked.append(known)
        number, text = self.schedule or (0, "")
        return {"number": number, "schedule": text if int(known or 0) < number else None,
                "schedule_key_pem": self.schedule_key}  # fmt: skip

    def take(self, text: str, known: str | None = None, named: str | None = None) -> tuple[int, dict[str, Any]]:
        self.named.append(named)
        records = [ocmf.parse(line) for line in text.split("\n")]
        self.batches.append([one.record.pagination for one in records])
        if len(records) > self.most:
            return 413, {"title": "too large", "status": 413}
        new = duplicate = 0
        refused = []
        for one in records:
            if self.key:
                ocmf.verify(one, ocmf.public_from_pem(self.key))
            number = one.record.pagination
            if number in self.refuse:
                refused.append({"pagination": number, "reason": self.refuse[number]})
                self.refused.add(number)
            elif number in self.stored:
                assert self.stored[number] == one.text
                duplicate += 1
            else:
                self.stored[number] = one.text
                new += 1
        receipt = {"stored": new, "duplicate": duplicate, "refused": refused, "high_water": self.high_water}
        if named is not None:
            receipt["settled"] = [int(number) for number in named.split(",") if int(number) in self.settled]
        newer = self.schedule is not None and known is not None and int(known) < self.schedule[0]
        return 200, receipt | ({"schedule": self.schedule[1]} if newer and self.schedule else {})


@contextmanager
def fake_service(port: int = 0) -> Iterator[FakeService]:
    """The service on a free port of this machine."""
    service = FakeService()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/api/agents/chain" and service.tells_chain:
                self._answer(200, service.chain_end())
            elif self.path == "/api/agents/schedule" and service.schedule is not None:
                self._answer(200, service.polled(self.headers["Spindleshare-Schedule"]))
            else:
                self._answer(404, {"title": "not found", "status": 404})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            fault = service.faults.pop(0) if service.faults else None
            if fault == "drop":
                self.close_connection = True
                return
            if isinstance(fault, int):
                self._answer(fault, {"title": "fault of the test", "status": fault})
                return
            service.order.append(self.path.rpartition("/")[2])
            if self.path == "/api/agents/key":
                service.told_keys.append(json.loads(body)["first_record"])
                status, answer = 200, {"first_record": service.told_keys[-1]}
            elif self.path == "/api/agents/enrol":
                status, answer = service.enrol(json.loads(body))
            elif self.headers["Authorization"] != f"Bearer {TOKEN}":
                status, answer = 401, {"title": "unknown token", "status": 401}
            else:
                status, answer = service.take(
                    body, self.headers["Spindleshare-Schedule"], self.headers["Spindleshare-Refused"]
                )
            if fault == "lost answer":
                self.close_connection = True
                return
            self._answer(status, answer)

        def _answer(self, status: int, answer: dict[str, Any]) -> None:
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A line that the client dropped is nothing to report."""

    server = Server(("127.0.0.1", port), Handler)
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
