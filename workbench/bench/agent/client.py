"""A client as a process, measured over the changes of a machine that counts them."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine_agents.credentials import Enrolment, save_enrolment
from workbench.bench.agent.side import SPACE
from workbench.bench.faults.machine import PASSWORD, USER, said, start_node

_MACHINE = Path(__file__).with_name("machine.cjs")
_PATIENCE_SECONDS = 60
_LOOK_SECONDS = 0.25
WARM_TICKS = 20
_CONFIG = """
[agent]
name = "bench"
data = "data"
local_port = 0
[source]
endpoint = "{url}"
user = "{user}"
password_file = "password"
profile = "load.toml"
sampling_ms = 0
queue = 1000
security_policy = "Basic256Sha256"
request_seconds = 30
[service]
url = "http://127.0.0.1:9"
"""
_PROFILE = """
name = "load"
trigger = "timestamp"
[namespaces]
b = "{space}"
[holes]
number = "1-999"
[[signal]]
signal = "heartbeat"
node = "b:s=Clock"
type = "time"
[[signal]]
signal = "axis.A{{number}}.position"
node = "b:s=Position{{number}}"
type = "number"
unit = "MMT"
[[signal]]
signal = "spindle.S{{number}}.speed"
node = "b:s=Speed{{number}}"
type = "number"
unit = "RPM"
[[signal]]
signal = "spindle.S{{number}}.load"
node = "b:s=Load{{number}}"
type = "number"
unit = "P1"
"""


class NotDone(Exception):
    """A client did not come to the end of what the machine changed."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What the machine changed since the client's start, by its own count; `at_ms`: the time of its last change."""

    changed: int
    travel_mm: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What a client took for `truth.changed` changes, of which `measured` were after the warm-up; memory in bytes."""

    measured: int
    cpu_seconds: float
    idle_bytes: int
    busy_bytes: int
    truth: Truth

    @property
    def per_cpu_second(self) -> float:
        """Changes taken in a second of processor time."""
        return self.measured / self.cpu_seconds


async def measure(name: str, folder: Path, *, items: int, ticks: int) -> Cost:
    """Start a machine and the client `name`; let all nodes change `ticks` times after a warm-up; end both."""
    async with _machine(folder / "machine", items) as machine:
        url = str((await said(machine))["url"])
        _prepare(folder / name, url)
        async with _client(name, url, folder / name, items) as client:
            one = _Measured(name, machine, client)
            await one.until_connected(items)
            idle = await one.ask()
            await one.change(WARM_TICKS, items)
            before = await one.ask()
            truth = await one.change(ticks, items)
            after = await one.ask()
            used = after["cpu_seconds"] - before["cpu_seconds"]
            return Cost(ticks * items, used, idle["memory_bytes"], after["memory_bytes"], truth)


class _Measured:
    def __init__(self, name: str, machine: asyncio.subprocess.Process, client: asyncio.subprocess.Process) -> None:
        self._ours = name == "ours"
        self._machine, self._client = machine, client

    async def ask(self) -> dict[str, Any]:
        _write(self._client, "?")
        return await said(self._client)

    async def until_connected(self, items: int) -> None:
        """Every node's first value has come; then a second at rest."""
        await self._until(1 if self._ours else items)
        await asyncio.sleep(1)

    async def change(self, ticks: int, items: int) -> Truth:
        """Let the machine work; return when the client has all of it."""
        before = (await self.ask())["progress"]
        _write(self._machine, str(ticks))
        truth = Truth(**await said(self._machine))
        await self._until(truth.at_ms if self._ours else before + ticks * items)
        return truth

    async def _until(self, goal: int) -> None:
        end = time.monotonic() + _PATIENCE_SECONDS
        while (await self.ask())["progress"] < goal:
            if time.monotonic() > end:
                raise NotDone(f"after {_PATIENCE_SECONDS} s the client had not taken what the machine changed")
            await asyncio.sleep(_LOOK_SECONDS)


def _write(process: asyncio.subprocess.Process, line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line.encode() + b"\n")


def _prepare(folder: Path, url: str) -> None:
    """An agent's folder that is enrolled with a service that is away: what counts ends on the disk."""
    folder.mkdir(parents=True)
    (folder / "password").write_text(PASSWORD, encoding="utf-8")
    (folder / "agent.toml").write_text(_CONFIG.format(url=url, user=USER), encoding="utf-8")
    (folder / "load.toml").write_text(_PROFILE.format(space=SPACE), encoding="utf-8")
    save_enrolment(folder / "data", Enrolment("bench", "BENCH-1", "bench", "bench"))


@asynccontextmanager
async def _machine(folder: Path, items: int) -> AsyncIterator[asyncio.subprocess.Process]:
    await asyncio.to_thread(folder.mkdir, parents=True)
    process = await start_node(_MACHINE, folder, items)
    try:
        yield process
    finally:
        await _end(process)


@asynccontextmanager
async def _client(name: str, url: str, folder: Path, items: int) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "workbench.bench.agent.side", name, url, str(folder), str(items)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """As a service manager would: politely, then not."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), 20)
    except TimeoutError:
        process.kill()
        await process.wait()
