"""Other clients as processes of their own: what they print is what they received."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from workbench.bench.faults.machine import HERE, said, start_node


class Peer:
    """A client whose every value is a line on its standard output."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.values: list[tuple[str, int]] = []
        self.came = 0.0

    async def read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            if line.startswith(b"["):
                name, value = json.loads(line)
                if value:
                    self.values.append((name, value))
                    self.came = time.monotonic()

    def stored(self) -> list[tuple[str, int]]:
        """(signal, number) in the order received."""
        return self.values


@asynccontextmanager
async def peer(kind: str, url: str, folder: Path, *, queue: int) -> AsyncIterator[Peer]:
    """The client `kind` ("asyncua" or "node-opcua") at work on `url`."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    if kind == "asyncua":
        words = (sys.executable, "-m", "workbench.bench.faults.asyncua_peer", url, str(folder), str(queue))
        process = await asyncio.create_subprocess_exec(
            *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, limit=2**24
        )
    else:
        process = await start_node(HERE / "node_peer.cjs", url, folder, queue)
    try:
        answer = await said(process)
        assert "ready" in answer, answer
        one = Peer(process)
        reading = asyncio.create_task(one.read())
        yield one
        reading.cancel()
    finally:
        process.kill()
        await process.wait()
