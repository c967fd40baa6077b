"""Spark Connect servers (Sail) as processes of their own, for benchmarks of the cluster."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from workbench.demo.processes import free_port

_SAIL = Path(sys.executable).with_name("sail")
_START_SECONDS = 60
MEMORY_MIB = 3072
"""What a server may use for a query; one that needs more ends with an error, where it took the whole machine's."""
_BOUNDED = {
    "SAIL_RUNTIME__MEMORY_POOL__TYPE": "greedy",
    "SAIL_RUNTIME__MEMORY_POOL__GREEDY__MAX_SIZE": str(MEMORY_MIB << 20),
}


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
            silent = subprocess.DEVNULL
            started.append(subprocess.Popen(command, env=os.environ | _BOUNDED, stdout=silent, stderr=silent))
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
