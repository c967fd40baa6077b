"""A recording cut into chunks: nothing missing, nothing twice, and no heartbeat says more than is true."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from machine_agents.observation import HEARTBEAT, Observation
from machine_agents.simulator.chunks import Pace, chunks

BEGIN = datetime(2018, 5, 1, tzinfo=UTC)
STEPS = (0, 1, 999, 1_000_000, 59_000_000, 61_000_000, 4_000_000_000, 90_000_000_000)

recordings = st.lists(
    st.tuples(st.sampled_from(STEPS), st.sampled_from(["power", "axis.X.position"]), st.booleans()), max_size=40
)
paces = st.builds(
    Pace,
    values=st.integers(1, 12),
    span=st.none() | st.sampled_from([timedelta(seconds=1), timedelta(minutes=10)]),
)


def made(steps: list[tuple[int, str, bool]]) -> list[Observation]:
    at = BEGIN
    seen = []
    for step, signal, value in steps:
        at += timedelta(microseconds=step)
        seen.append(Observation(signal, value, at))
    return seen


@given(recordings, paces)
def test_all_of_it_in_order_and_every_heartbeat_true(steps: list[tuple[int, str, bool]], pace: Pace) -> None:
    observations = made(steps)
    end = BEGIN + timedelta(microseconds=sum(step for step, _, _ in steps) + 1_000_000)
    cut = list(chunks(observations, pace, begin=BEGIN, end=end))
    played = [seen for chunk in cut for seen in chunk.observations]
    assert [seen for seen in played if seen.signal != HEARTBEAT] == observations
    assert sum(chunk.recorded for chunk in cut) == len(observations)
    beat = BEGIN
    for seen in played:
        if seen.signal == HEARTBEAT:
            assert seen.source_time >= beat
            beat = seen.source_time
        else:
            assert seen.source_time > beat or seen.source_time == beat == BEGIN
    assert end <= beat < end + timedelta(milliseconds=1)
    assert all(chunk.observations[-1].signal == HEARTBEAT for chunk in cut)


@given(recordings, paces)
def test_heartbeats_are_never_further_apart_than_the_pace_says(steps: list[tuple[int, str, bool]], pace: Pace) -> None:
    observations = made(steps)
    end = BEGIN + timedelta(microseconds=sum(step for step, _, _ in steps) + 1_000_000)
    beats = [
        seen.source_time
        for chunk in chunks(observations, pace, begin=BEGIN, end=end)
        for seen in chunk.observations
        if seen.signal == HEARTBEAT
    ]
    for before, after in zip([BEGIN, *beats], beats, strict=False):
        assert after - before <= pace.asleep + timedelta(milliseconds=2)


@given(recordings, st.integers(1, 5))
def test_a_split_chunk_is_the_same_chunk(steps: list[tuple[int, str, bool]], size: int) -> None:
    end = BEGIN + timedelta(days=5)
    whole = next(iter(chunks(made(steps), Pace(values=1_000), begin=BEGIN, end=end)))
    if size >= len(whole.observations):
        return
    first, rest = whole.split(size)
    assert len(first.observations) == size
    assert first.observations + rest.observations == whole.observations
    assert first.recorded + rest.recorded == whole.recorded


def test_beats_come_each_minute_with_power_and_each_quarter_hour_without() -> None:
    on, off = BEGIN, BEGIN + timedelta(hours=1)
    observations = [Observation("power", True, on), Observation("power", False, off)]
    [chunk] = chunks(observations, Pace(), begin=BEGIN, end=off + timedelta(hours=1))
    beats = [seen.source_time for seen in chunk.observations if seen.signal == HEARTBEAT]
    assert sum(beat < off for beat in beats) == 59
    assert [(beat - off) // timedelta(minutes=1) for beat in beats if beat > off] == [14, 29, 44, 59, 60]
