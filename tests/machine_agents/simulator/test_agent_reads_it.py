"""What goes into the simulator comes out of the agent's source: same signals, same values, same times."""

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from machine_agents import model, profile
from machine_agents.config import SourceConfig
from machine_agents.observation import HEARTBEAT, REPLAYED, Observation
from machine_agents.opcua_source.source import OpcUaSource
from machine_agents.status import Status
from tests.machine_agents.plain_server import Collector
from tests.machine_agents.simulator.bench import PASSWORD, USER, Bench, bench

BEGIN = datetime(2026, 5, 4, 4, 0, tzinfo=UTC)
END = BEGIN + timedelta(hours=12)
COLLAPSED = {"mode": {"setup": "manual"}}
"""Words for which the CNC model has no number of their own."""


def source(one: Bench, folder: Path, sink: Collector) -> OpcUaSource:
    (folder / "password").write_text(PASSWORD)
    config = SourceConfig(one.server.url, USER, folder / "password", publish_ms=50, retry_max_seconds=1)
    status = Status(None, None, clock=lambda: datetime.now(UTC), monotonic=time.monotonic)
    return OpcUaSource(config, profile.load("simulator"), sink, status, folder=folder, monotonic=time.monotonic)


def history(observations: Iterable[Observation], signal: str) -> list[tuple[object, datetime]]:
    """A signal's values within the period, without what tells nothing new: repetitions, no value at the very begin."""
    words = COLLAPSED.get(signal, {})
    told = [
        (words.get(str(seen.value), seen.value), seen.source_time)
        for seen in observations
        if seen.signal == signal and seen.source_time >= BEGIN
    ]
    return [one for one, before in zip(told, [(None, BEGIN), *told], strict=False) if one != before]


async def until(done: Callable[[], bool]) -> None:
    while not done():  # noqa: ASYNC110 (a Collector tells nobody)
        await asyncio.sleep(0.02)


def test_the_agent_gets_the_recording(tmp_path: Path) -> None:
    recorded = list(model.recorded(seed=3, begin=BEGIN - timedelta(hours=1), end=END))
    sink = Collector()

    async def go() -> None:
        async with bench(tmp_path, recorded, begin=BEGIN) as one:
            reading = asyncio.create_task(source(one, tmp_path, sink).run())
            await asyncio.wait_for(one.play(), 60)
            await until(lambda: sink.deliveries[-1].heartbeat is not None)
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading

    asyncio.run(go())
    got = sink.observations
    signals = {seen.signal for seen in recorded}
    assert {"spindle.S1.speed", "axis.X.position", "counter.cut", "parts", "mode"} <= signals
    for signal in signals:
        assert history(got, signal) == history(recorded, signal), signal
    assert {seen.value for seen in got if seen.signal == REPLAYED} == {True}
    beats = [seen.source_time for seen in got if seen.signal == HEARTBEAT]
    assert beats[0] == BEGIN
    assert beats == sorted(beats)
    assert sink.deliveries[-1].heartbeat == recorded[-1].source_time + timedelta(seconds=1)


def test_the_agent_killed_and_started_again_misses_nothing(tmp_path: Path) -> None:
    """As a process does that dies: its connection closes at once, its memory is what was delivered."""
    recorded = list(model.recorded(seed=3, begin=BEGIN - timedelta(hours=1), end=END + timedelta(days=4)))
    sink = Collector()

    async def go() -> None:
        async with bench(tmp_path, recorded, begin=BEGIN) as one:
            playing = asyncio.create_task(one.play())
            for death in (1, 2, 3):
                reading = asyncio.create_task(source(one, tmp_path, sink).run())
                await until(lambda part=death / 4: len(sink.observations) > part * len(recorded))  # type: ignore[misc]
                reading.cancel()
                with suppress(asyncio.CancelledError):
                    await reading
                assert not playing.done(), "the recording is too short for this test"
            reading = asyncio.create_task(source(one, tmp_path, sink).run())
            await asyncio.wait_for(playing, 60)
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading

    asyncio.run(go())
    for signal in {seen.signal for seen in recorded}:
        assert history(sink.observations, signal) == history(recorded, signal), signal
