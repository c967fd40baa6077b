"""Each profile on servers that a seed makes differently: the agent finds every signal and delivers its exact value."""

import asyncio
import contextlib
import io
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from machine_agents import profile
from machine_agents.opcua_source.discovery import survey
from machine_agents.opcua_source.source import OpcUaSource
from machine_agents.status import Status
from tests.machine_agents.generated_machine import Grown, grown
from tests.machine_agents.plain_server import Collector, source_config
from tests.machine_agents.test_opcua_source import run, until

BUNDLED = ["cnc", "fanuc", "heidenhain", "sinumerik", "umati"]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One server certificate for all: making keys takes longer than the rest."""
    return tmp_path_factory.mktemp("pki")


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", BUNDLED)
def test_discovery_finds_every_signal_with_its_exact_value(name: str, seed: int, pki: Path, tmp_path: Path) -> None:
    async def test() -> None:
        known = profile.load(name)
        async with grown(pki / "server", known, seed) as machine:
            found = await survey(source_config(machine.url, tmp_path), [known], pki / "agent", now=datetime.now(UTC))
        (proposal,) = found.proposals
        values = {one.signal: one.value for one in proposal.offered if one.signal in machine.truth}
        assert values == machine.truth, proposal.missing
        assert proposal.usable

    run(test())


@pytest.mark.parametrize("name", BUNDLED)
def test_the_source_delivers_the_exact_values(name: str, pki: Path, tmp_path: Path) -> None:
    async def test() -> None:
        known = profile.load(name)
        async with grown(pki / "server", known, 4) as machine:
            sink = Collector()
            changes = source_config(machine.url, tmp_path, publish_ms=100, sampling_ms=100)
            status = Status(None, io.StringIO(), clock=lambda: datetime.now(UTC), monotonic=time.monotonic)
            source = OpcUaSource(changes, known, sink, status, folder=pki / "agent", monotonic=time.monotonic)
            task = asyncio.create_task(source.run())
            try:
                await delivered(machine, sink)
                await machine.change()
                await delivered(machine, sink)
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    run(test())


async def delivered(machine: Grown, sink: Collector) -> None:
    """Until the newest value of each signal is the true one."""

    def newest() -> dict[str, Any]:
        return {seen.signal: seen.value for seen in sink.observations if seen.signal in machine.truth}

    with contextlib.suppress(TimeoutError):
        await until(lambda: newest() == machine.truth)
    assert newest() == machine.truth
