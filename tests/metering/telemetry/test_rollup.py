"""The roll-up gives what the registers say, to the unit: whole, by day, from any segment on, on any engine."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from machine_agents.accrual import AccrualState, Policy
from machine_agents.counter_policy import Begin, CounterPolicy, StepBack
from machine_agents.model import SILENCE_MS, recorded
from machine_agents.observation import Observation
from metering.telemetry.embedded import Embedded
from metering.telemetry.rollup import Batch, Key, plan, roll_up
from metering.telemetry.segment import Segment
from metering.telemetry.shelf import Shelf
from metering.telemetry.stretch import QUARTER_MS, Stored, stretches
from tests.machine_agents.test_nist_month import FILE as NIST
from tests.metering.telemetry.builders import START, Agent, Told, agent, at, registers, seen

MACHINE, METER = uuid4(), uuid4()
_EMBEDDED = Embedded(memory_mib=512)

words: dict[str, list[str] | list[bool]] = {
    "mode": ["automatic", "mdi", "manual"],
    "execution": ["active", "feed_hold", "interrupted", "ready", "stopped"],
    "power": [True, False],
    "warm_up": [True, False],
    "dry_run": [True, False],
    "item_state": ["executing", "not_executing"],
    "operation_mode": ["processing", "maintenance", "setup"],
    "spindle.S1.rotating": [True, False],
    "spindle.S2.rotating": [True, False],
    "spindle.S2.as_axis": [True, False],
    "tool": ["1", "2"],
    "serial": ["A", "B"],
    "serial.energy": ["E1", "E2"],
}
LOST = ["spindle.S1.speed", "spindle.S1.rotating", "axis.X.position", "feed", "execution", "warm_up", "parts"]
numbers = {
    "spindle.S1.speed": [0, 500_000, -500_000, 3_137_213],
    "spindle.S2.speed": [0, 1, 99_999_999],
    "spindle.S1.load": [0, 125, 126, -300, 5_000],
    "feed": [0, 1, 20_000, 20_001],
    "axis.X.position": [0, 1_000, -77, 123_456],
    "axis.Y.position": [5, 6],
    "energy": [10, 20, 5],
    "parts": [1, 2, 3],
    "counter.auto": [0, 1_000, 2_000],
    "unknown.thing": [1],
}
signals = st.sampled_from([*words, *numbers])


@st.composite
def observations(draw: st.DrawFn) -> tuple[float, str, int | str | bool | None]:
    """A signal's value, or none; its time relative to its delivery's, late and early ones among them."""
    signal = draw(signals)
    value = draw(st.sampled_from([None, *words.get(signal, []), *numbers.get(signal, [])]))
    return draw(st.sampled_from([0, 0, -0.5, -3, -0.0005, -40, 2, 0.001])), signal, value


deliveries = st.lists(
    st.tuples(
        st.sampled_from([0, 0.001, 1, 5, 29, 31, 200, 901, 3_000]),
        st.lists(observations(), max_size=8),
        st.sampled_from([True, True, True, False]),
        st.one_of(st.just(frozenset[str]()), st.frozensets(st.sampled_from(LOST))),
        st.sampled_from([0, 0, 0, 0, 1, 700, 60_000]),
    ),
    min_size=1,
    max_size=25,
)
COUNTERS = {
    "energy": CounterPolicy(modulus=30, most_per_hour=36_000, step=12),
    "parts": CounterPolicy(step_back=StepBack.HOLD, closes_gaps=False),
    "counter.auto": CounterPolicy(reset=Begin.FROM_ZERO, reset_at_most=1_000),
}
policies = st.sampled_from(
    [
        Policy(silence_ms=30_000),
        Policy(silence_ms=4_000, turning_above_mrpm=500_000),
        Policy(silence_ms=30_000, counters=COUNTERS),
    ]
)


Seen: TypeAlias = tuple[float, str, int | str | bool | None]


def play(one: Agent, drawn: Sequence[tuple[float, Sequence[Seen], bool, frozenset[str], int]]) -> None:
    """Several segments of what was drawn, the last with a heartbeat."""
    now, told = 0.0, list[Told]()
    for pause, found, beats, lost, doubted_ms in drawn:
        now += pause
        delivered = [seen(now + offset, signal, value) for offset, signal, value in found]
        told.append(Told(delivered, at(now) if beats else None, sorted(lost), doubted_ms if beats else 0))
    told.append(Told([], at(now + 50)))
    for first in range(0, len(told), 7):
        one.segment(told[first : first + 7])


def shelved(folder: Path, segments: Sequence[Segment]) -> tuple[Shelf, list[Stored]]:
    shelf = Shelf(folder)
    for segment in segments:
        shelf.put(segment, machine=MACHINE, meter=METER)
    return shelf, [replace(Stored.of(segment), meter=str(METER)) for segment in segments]


def batches(folder: Path, one: Agent, *, by_day: bool = False, max_rows: int = 1_000_000) -> list[Batch]:
    shelf, stored = shelved(folder, one.segments)
    start = min(run.from_ms for run in stored) // QUARTER_MS * QUARTER_MS
    end = max(run.until_ms for run in stored) // QUARTER_MS * QUARTER_MS + QUARTER_MS
    return list(plan(shelf, MACHINE, stored, start, end, by_day=by_day, max_rows=max_rows))


def summed(grown: dict[Key, int]) -> dict[str | tuple[str, int], int]:
    sums: dict[str | tuple[str, int], int] = {}
    for (_, _, code, cell), value in grown.items():
        key = code if cell is None else (code, cell)
        sums[key] = sums.get(key, 0) + value
    return sums


def model(*, days: float, seed: int = 3) -> Agent:
    end = datetime(2026, 3, 6, 20, tzinfo=UTC)
    return folded(recorded(seed=seed, begin=end - timedelta(days=days), end=end), end - timedelta(days=days), end)


def folded(
    found: Iterator[Observation] | Sequence[Observation],
    begin: datetime,
    end: datetime,
    *,
    silence_ms: int = SILENCE_MS,
    signals: Sequence[str] = (),
) -> Agent:
    """A recording in segments of 20 deliveries of 200 observations."""
    one = agent(begin=begin, signals=signals, policy=Policy(silence_ms=silence_ms))
    rows = list(found)
    told: list[tuple[Sequence[Observation], datetime | None]] = []
    for first in range(0, len(rows), 200):
        part = rows[first : first + 200]
        told.append((part, max(seen.source_time for seen in part)))
    told.append(([], end))
    for number in range(0, len(told), 20):
        one.segment(told[number : number + 20])
    return one


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=deliveries, policy=policies)
def test_whatever_is_observed_the_roll_up_gives_the_registers(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[object], policy: Policy
) -> None:
    one = Agent(policy, AccrualState.begin(START))
    play(one, drawn)  # type: ignore[arg-type]
    folder = tmp_path_factory.mktemp("telemetry")
    assert summed(roll_up(batches(folder, one), _EMBEDDED)) == registers(one.state)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=deliveries)
def test_a_roll_up_may_begin_at_any_segment(tmp_path_factory: pytest.TempPathFactory, drawn: list[object]) -> None:
    one = agent()
    play(one, drawn)  # type: ignore[arg-type]
    folder = tmp_path_factory.mktemp("telemetry")
    whole = roll_up(batches(folder, one), _EMBEDDED)
    pieces = batches(folder, one, max_rows=1)
    assert len(pieces) == len(one.segments) or len(one.segments) == 1
    assert roll_up(pieces, _EMBEDDED) == whole


def test_a_shop_of_the_model_to_the_unit_whole_and_by_day(tmp_path: Path) -> None:
    one = model(days=3)
    whole = roll_up(batches(tmp_path, one), _EMBEDDED)
    assert summed(whole) == registers(one.state)
    assert registers(one.state)["spindle_on.S1"] > 0
    by_day = batches(tmp_path, one, by_day=True)
    assert len(by_day) == 4
    assert roll_up(by_day, _EMBEDDED) == whole


def test_a_missing_segment_spoils_no_other(tmp_path: Path) -> None:
    one = model(days=1)
    assert len(one.segments) > 2
    whole = roll_up(batches(tmp_path / "whole", one), _EMBEDDED)
    lost = one.segments.pop(1)
    rest = roll_up(batches(tmp_path / "rest", one), _EMBEDDED)
    from_ms, until_ms = Stored.of(lost).from_ms, Stored.of(lost).until_ms
    spoilt = range(from_ms - from_ms % QUARTER_MS, until_ms, QUARTER_MS)
    assert {key: value for key, value in whole.items() if key[1] not in spoilt} == {
        key: value for key, value in rest.items() if key[1] not in spoilt
    }
    assert len(stretches(Stored.of(segment) for segment in one.segments)) == 2


@pytest.mark.skipif(not NIST.exists(), reason=f"the NIST recording is not at {NIST}")
@pytest.mark.slow
def test_a_real_month_to_the_unit(tmp_path: Path) -> None:
    from machine_agents.recording import read_recording

    month = read_recording(NIST)
    header = month.header
    one = folded(
        month.observations, header.begin, header.end, silence_ms=header.silence_ms, signals=sorted(header.signals)
    )
    assert summed(roll_up(batches(tmp_path, one), _EMBEDDED)) == registers(one.state)
    assert registers(one.state)["program_run"] == 30_976_071


@pytest.mark.slow
def test_the_models_month_to_the_unit(tmp_path: Path) -> None:
    one = model(days=30)
    assert summed(roll_up(batches(tmp_path, one), _EMBEDDED)) == registers(one.state)
