"""The MTConnect source: every observation once and in order over breaks and kills, else a gap that is said."""

import asyncio
import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from machine_agents.delivery import Delivery, NotStored
from machine_agents.mtconnect_source.config import MtConnectConfig
from machine_agents.mtconnect_source.source import MtConnectSource
from machine_agents.mtconnect_source.streams import AgentError, BadAnswer, OutOfRange, parse_streams
from machine_agents.status import Status
from tests.machine_agents.fake_service import CODE, fake_service
from tests.machine_agents.mtconnect_agent import MtConnectAgent, mtconnect_agent
from tests.machine_agents.processes import AgentProcess, chain
from tests.machine_agents.test_mtconnect_items import MILL


@dataclass
class Sink:
    """Keeps deliveries in memory and may be told to fail."""

    state: str = ""
    deliveries: list[Delivery] = field(default_factory=list)
    failures: int = 0

    def deliver(self, delivery: Delivery) -> None:
        if self.failures:
            self.failures -= 1
            raise NotStored("the disk is full")
        self.state = delivery.state
        self.deliveries.append(delivery)

    def remember(self, state: str) -> None:
        self.state = state

    def remembered(self) -> str:
        return self.state

    def known(self) -> None:
        """Nothing here asks."""

    def values(self, signal: str) -> list[Any]:
        return [seen.value for one in self.deliveries for seen in one.observations if seen.signal == signal]

    @property
    def beginnings(self) -> int:
        return sum(one.fresh for one in self.deliveries)


def follow(agent: MtConnectAgent, sink: Sink, until: Callable[[], bool], **changes: Any) -> Status:
    """Run the source until `until` holds."""
    given: dict[str, Any] = {
        "interval_ms": 10,
        "retry_max_seconds": 1,
        "request_seconds": 2,
        "settle_ms": 0,
        "heartbeat_ms": 100,
    } | changes
    status = Status(None, None, clock=lambda: datetime.now(UTC), monotonic=time.monotonic)

    async def run() -> None:
        source = asyncio.create_task(MtConnectSource(MtConnectConfig(agent.url, **given), sink, status).run())
        async with asyncio.timeout(60):
            while not until():
                assert not source.done(), source.exception()
                await asyncio.sleep(0.01)
        source.cancel()
        await asyncio.gather(source, return_exceptions=True)

    asyncio.run(run())
    return status


def positions(first: int, last: int) -> list[int]:
    return [number * 1000 for number in range(first, last + 1)]


def move(agent: MtConnectAgent, first: int, last: int) -> None:
    for number in range(first, last + 1):
        agent.add("xm", number)


def test_a_meter_begins_now_and_takes_each_change_once() -> None:
    sink = Sink()
    with mtconnect_agent(MILL) as agent:
        agent.add("avail", "AVAILABLE")
        move(agent, 1, 5)
        follow(agent, sink, lambda: sink.beginnings == 1)
        move(agent, 6, 40)
        follow(agent, sink, lambda: len(sink.values("axis.X.position")) >= 36)
    assert sink.values("axis.X.position") == positions(5, 40)
    assert (sink.beginnings, sink.deliveries[0].fresh) == (1, True)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_is_lost_or_doubled_over_cuts_stalls_and_failures_to_store(seed: int) -> None:
    chance, sink = random.Random(seed), Sink()
    with mtconnect_agent(MILL) as agent:
        agent.add("xm", 0)
        done = threading.Event()

        def play() -> None:
            for number in range(1, 201):
                agent.add("xm", number)
                time.sleep(0.005)  # the machine's own pace
                if chance.random() < 0.05:
                    agent.cut()
                if chance.random() < 0.03:
                    sink.failures = 1
                agent.refusing = chance.random() < 0.1
            agent.refusing = False
            done.set()

        machine = threading.Thread(target=play)
        follow(agent, sink, lambda: sink.beginnings == 1)
        machine.start()
        follow(agent, sink, lambda: done.is_set() and len(sink.values("axis.X.position")) >= 201)
        machine.join()
    assert sink.values("axis.X.position") == positions(0, 200)
    assert sink.beginnings == 1


def test_a_stalled_line_is_given_up_and_nothing_of_it_is_lost() -> None:
    sink = Sink()
    with mtconnect_agent(MILL) as agent:
        agent.add("xm", 0)
        follow(agent, sink, lambda: sink.beginnings == 1)
        agent.stalled = True
        move(agent, 1, 10)
        streams = agent.streams
        follow(agent, sink, lambda: agent.streams > streams + 1, request_seconds=1)
        agent.stalled = False
        follow(agent, sink, lambda: len(sink.values("axis.X.position")) >= 11)
    assert sink.values("axis.X.position") == positions(0, 10)


def test_what_was_overwritten_is_one_gap_and_the_rest_is_kept() -> None:
    sink = Sink()
    with mtconnect_agent(MILL, size=50) as agent:
        agent.add("xm", 0)
        follow(agent, sink, lambda: sink.beginnings == 1)
        move(agent, 1, 200)
        follow(agent, sink, lambda: 200_000 in sink.values("axis.X.position"))
    seen = sink.values("axis.X.position")
    assert sink.beginnings == 2
    assert seen[0] == 0
    assert seen[1:] == positions(seen[1] // 1000, 200)
    assert len(seen) > 40


def test_an_agent_begun_anew_is_a_gap_and_its_new_buffer_is_read_from_the_start() -> None:
    sink = Sink()
    with mtconnect_agent(MILL) as agent:
        agent.add("xm", 0)
        move(agent, 1, 5)
        follow(agent, sink, lambda: 5000 in sink.values("axis.X.position"))
        agent.begin_anew()
        agent.add("xm", "UNAVAILABLE")
        move(agent, 100, 160)
        follow(agent, sink, lambda: 160_000 in sink.values("axis.X.position"))
    seen = sink.values("axis.X.position")
    assert sink.beginnings == 2
    assert seen[-56:] == positions(105, 160)
    assert len(set(seen)) == len(seen)


def test_availability_proves_life_only_where_it_was_chosen() -> None:
    for chosen in (False, True):
        sink = Sink()
        with mtconnect_agent(MILL) as agent:
            agent.add("avail", "AVAILABLE")
            follow(agent, sink, lambda: len(sink.deliveries) > 4, available_is_life=chosen)  # noqa: B023
            signs = len(sink.values("power"))
            agent.add("avail", "UNAVAILABLE")
            follow(agent, sink, lambda: None in sink.values("power"), available_is_life=chosen)  # noqa: B023
            before, beats = len(sink.values("power")), len(sink.deliveries)
            follow(agent, sink, lambda: len(sink.deliveries) > beats + 3, available_is_life=chosen)  # noqa: B023
            assert len(sink.values("power")) == before
        assert (signs > 1) is chosen


def test_several_devices_need_a_choice_and_an_unknown_one_is_named() -> None:
    two = MILL + MILL.replace('name="Mill" uuid="U-1"', 'name="Lathe" uuid="U-2"')
    sink = Sink()
    with mtconnect_agent(two) as agent:
        agent.add("xm", 1)
        why = [follow_until_said(agent, sink, machine) for machine in ("", "Drill", "U-2")]
    assert "several devices (Mill, Lathe)" in why[0]
    assert "no device 'Drill'" in why[1]
    assert why[2] == "connected"


def follow_until_said(agent: MtConnectAgent, sink: Sink, machine: str) -> str:
    """The reason that the source gives for standing still, or its state when it works."""
    status = Status(None, None, clock=lambda: datetime.now(UTC), monotonic=time.monotonic)

    async def run() -> str:
        config = MtConnectConfig(agent.url, machine=machine, interval_ms=10)
        source = asyncio.create_task(MtConnectSource(config, sink, status).run())
        async with asyncio.timeout(30):
            while "state" not in status.facts.get("source", {}):  # noqa: ASYNC110 (the status has no event)
                await asyncio.sleep(0.01)
        source.cancel()
        await asyncio.gather(source, return_exceptions=True)
        facts = status.facts["source"]
        return str(facts.get("why") or facts["state"])

    return asyncio.run(run())


HEADER = (
    "<Header instanceId='7' firstSequence='1' lastSequence='9' nextSequence='10' creationTime='2026-01-01T00:00:00Z'/>"
)


def streams(inside: str, header: str = HEADER) -> bytes:
    return f"<MTConnectStreams>{header}<Streams>{inside}</Streams></MTConnectStreams>".encode()


@pytest.mark.parametrize(
    ("stamp", "microsecond"),
    [("2026-01-01T00:00:00.123456789Z", 123456), ("2026-01-01T00:00:00.5", 500_000), ("2026-01-01T00:00:00Z", 0)],
)
def test_times_of_any_fineness_are_read(stamp: str, microsecond: int) -> None:
    found = parse_streams(streams(f"<Samples><A dataItemId='a' sequence='1' timestamp='{stamp}'>x</A></Samples>"))
    assert found.seen[0].time == datetime(2026, 1, 1, microsecond=microsecond, tzinfo=UTC)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"<MTConnectError><Errors><Error errorCode='OUT_OF_RANGE'>x</Error></Errors></MTConnectError>", OutOfRange),
        (b"<MTConnectError><Errors><OutOfRange errorCode='OUT_OF_RANGE'><ErrorMessage>x</ErrorMessage></OutOfRange>"
         b"</Errors></MTConnectError>", OutOfRange),
        (b"<MTConnectError><Error errorCode='NO_DEVICE'>none</Error></MTConnectError>", AgentError),
        (b"<html/>", BadAnswer),
        (b"", BadAnswer),
        (streams("", "<Header instanceId='x'/>"), BadAnswer),
        (streams("<Samples><A dataItemId='a' sequence='-1' timestamp='2026-01-01T00:00:00Z'/></Samples>"), BadAnswer),
        (streams("<Samples><A dataItemId='a' sequence='1' timestamp='yesterday'/></Samples>"), BadAnswer),
        (b"<!DOCTYPE x><MTConnectStreams/>", BadAnswer),
    ],
)  # fmt: skip
def test_errors_and_rubbish_are_told_apart(answer: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        parse_streams(answer)


_CONFIG = """
[agent]
data = "data"
[source]
kind = "mtconnect"
endpoint = "{endpoint}"
interval_ms = 20
settle_ms = 200
retry_max_seconds = 1
[service]
url = "{service}"
code_file = "code"
retry_max_seconds = 1
[meter]
silence_ms = 30000
interim_seconds = 0
"""


@pytest.mark.slow
def test_no_movement_is_lost_over_kills_of_the_agent(tmp_path: Path) -> None:
    """The whole agent as a process, killed at moments chosen by a seed; the truth is counted by the machine."""
    chance = random.Random(5)
    with fake_service() as service, mtconnect_agent(MILL) as machine:
        (tmp_path / "code").write_text(CODE)
        (tmp_path / "agent.toml").write_text(_CONFIG.format(endpoint=machine.url, service=service.url))
        machine.add("avail", "AVAILABLE")
        machine.add("xm", 0)
        agent = AgentProcess(tmp_path / "agent.toml")
        agent.wait_for("stream begun")
        true, place, going = 0, 0, threading.Event()

        def play() -> None:
            nonlocal true, place
            while not going.is_set():
                step = chance.randint(1, 9)
                true, place = true + step, place + step
                machine.add("xm", place)
                time.sleep(0.02)  # the machine's own pace

        player = threading.Thread(target=play)
        player.start()
        for _ in range(3):
            time.sleep(chance.uniform(0.2, 0.8))
            agent.kill()
            agent = AgentProcess(tmp_path / "agent.toml")
            agent.wait_for("connected")
        going.set()
        player.join()
        wait_for_register(tmp_path / "data", "travel.X", true * 1000)
        assert agent.stop() == 0
        chain([service.stored[number] for number in sorted(service.stored)])


def wait_for_register(data: Path, code: str, value: int) -> None:
    limit, known = time.monotonic() + 60, None
    while time.monotonic() < limit:
        known = json.loads((data / "status.json").read_text()).get("meter", {}).get("registers", {}).get(code)
        if known == value:
            return
        time.sleep(0.05)
    raise AssertionError(f"{code} is {known}, not {value}")
