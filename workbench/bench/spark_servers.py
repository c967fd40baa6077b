"""Spark Connect servers (Sail) as processes of their own, for benchmarks of the cluster."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from workbench.demo.processes import free_port

_SAIL = Path(sys.executable).with_name("sail")
_START_SECONDS = 60


class ServersMissing(Exception):
    """The cluster cannot be measured: install pysail, or wait until the machine is less busy."""


def available() -> bool:
    """Whether Sail is installed here."""
    return _SAIL.exists()


@contextlib.contextmanager
def spark_servers(count: int) -> Iterator[list[str]]:
    """The addresses of `count` servers, which end with the block."""
    started: list[subprocess.Popen[bytes]] = []
    ports = []
    try:
        for _ in range(count):
            ports.append(free_port())
            command = [str(_SAIL), "spark", "server", "--port", str(ports[-1])]
            started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        for port in ports:
            _wait_for(port)
        yield [f"sc://127.0.0.1:{port}" for port in ports]
    finally:
        for process in started:
            process.kill()
            process.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise ServersMissing("a Spark Connect server does not answer")
