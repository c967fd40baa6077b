"""The local port: `/healthz` and `/metrics` for whoever watches the box; read-only, and this machine's by default.

It runs on the standard library's server in a thread of its own, so that a slow or hostile client delays nobody's
metering; it reads the last published snapshot only.
"""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from machine_agents import metrics
from machine_agents.health import Facts, State, examine

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_CLIENT_SECONDS = 10


class PortTaken(OSError):
    """The local port cannot be opened: choose another `agent.local_port`, or 0 for none."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to report."""


class _Handler(WSGIRequestHandler):
    timeout = _CLIENT_SECONDS

    def log_message(self, *args: Any) -> None:
        """Scrapes are not events."""


@contextmanager
def serving(
    host: str, port: int, facts: Callable[[], Facts], *, clock: Callable[[], datetime]
) -> Iterator[tuple[str, int]]:
    """Serve until the end of the block; (host, port) as opened. PortTaken."""

    def application(environment: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        status, kind, body = _answer(environment.get("PATH_INFO", ""), facts(), clock())
        start(status, [("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")])
        return [body]

    try:
        server = make_server(host, port, application, server_class=_Server, handler_class=_Handler)
    except OSError as error:
        raise PortTaken(f"agent.local_port {host}:{port} cannot be opened: {error.strerror}; choose another") from error
    threading.Thread(target=server.serve_forever, args=(0.2,), daemon=True, name="local port").start()
    try:
        yield host, server.server_port
    finally:
        server.shutdown()
        server.server_close()


def _answer(path: str, facts: Facts, now: datetime) -> tuple[str, str, bytes]:
    if path == "/metrics":
        return "200 OK", "text/plain; version=0.0.4; charset=utf-8", metrics.text(facts, clock=lambda: now)
    if path == "/healthz":
        health = examine(facts, now=now)
        body = {"state": health.state, "findings": [asdict(one) for one in health.findings]}
        status = "503 Service Unavailable" if health.state is State.FAILING else "200 OK"
        return status, "application/json", json.dumps(body, indent=1).encode() + b"\n"
    return "404 Not Found", "text/plain; charset=utf-8", b"There are /healthz and /metrics.\n"
