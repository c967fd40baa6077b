"""However observations are batched, repeated and interrupted by restarts, the cuts are the same."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from machine_agents.accrual import AccrualState, Cut, Policy, fold
from machine_agents.observation import Observation
from machine_agents.source_time import from_ms, to_ms

START = datetime(2026, 5, 4, 6, 7, 0, 1, tzinfo=UTC)
POLICY = Policy(silence_ms=40_000, long_gap_ms=1_800_000)

numbers = st.integers(-5_000, 5_000_000)
signals = st.one_of(
    st.tuples(st.just("power"), st.sampled_from([True, False, None])),
    st.tuples(st.just("mode"), st.sampled_from(["automatic", "mdi", None])),
    st.tuples(st.just("execution"), st.sampled_from(["active", "interrupted", "stopped", "ready", None])),
    st.tuples(st.just("replayed"), st.booleans()),
    st.tuples(
        st.sampled_from(["warm_up", "dry_run", "spindle.S1.rotating", "spindle.S1.as_axis"]),
        st.sampled_from([True, False, None]),
    ),
    st.tuples(st.just("operation_mode"), st.sampled_from(["processing", "maintenance", None])),
    st.tuples(st.just("item_state"), st.sampled_from(["executing", "not_executing", None])),
    st.tuples(st.just("tool"), st.sampled_from(["1", "2", "0", None])),
    st.tuples(
        st.sampled_from(
            ["spindle.S1.speed", "spindle.S1.load", "spindle.S2.speed", "axis.X.position", "feed", "parts"]
        ),
        st.one_of(st.none(), st.just(0), numbers),
    ),
    st.tuples(st.sampled_from(["counter.auto", "counter.cut", "counter.power_on"]), st.one_of(st.none(), numbers)),
)
pauses = st.one_of(st.integers(0, 3_000), st.integers(30_000, 50_000), st.integers(500_000, 4_000_000))


@st.composite
def stories(draw: st.DrawFn) -> list[Observation]:
    moment, story = START, []
    for pause, (signal, value) in draw(st.lists(st.tuples(pauses, signals), min_size=1, max_size=60)):
        moment += timedelta(milliseconds=pause)
        story.append(Observation(signal, value, moment))
    return story


def at_once(story: list[Observation], end: datetime) -> tuple[AccrualState, list[Cut]]:
    state = AccrualState.begin(START)
    return state, fold(state, story, end, POLICY)


@settings(max_examples=300, deadline=None)
@given(story=stories(), data=st.data())
def test_any_chunking_with_repetitions_and_restarts_gives_identical_cuts(
    story: list[Observation], data: st.DataObject
) -> None:
    end = story[-1].source_time + timedelta(minutes=20)
    expected_state, expected = at_once(story, end)
    state, cuts, done = AccrualState.begin(START), list[Cut](), 0
    while done < len(story):
        size = data.draw(st.integers(1, len(story) - done))
        chunk = story[done : done + size]
        repeated = story[max(done - data.draw(st.integers(0, 3)), 0) : done]
        done += size
        # the watermark may lag behind the chunk, or lie between it and the next one
        lag = data.draw(st.integers(0, 2_000_000))
        heartbeat = chunk[-1].source_time - timedelta(milliseconds=lag) if lag % 3 else None
        cuts += fold(state, repeated + chunk, heartbeat, POLICY)
        if data.draw(st.booleans()):
            state = AccrualState.from_json(state.to_json())
    cuts += fold(state, [], end, POLICY)
    assert cuts == expected
    assert state.registers == expected_state.registers


@settings(max_examples=100, deadline=None)
@given(story=stories(), data=st.data())
def test_the_order_across_signals_within_a_batch_does_not_matter(story: list[Observation], data: st.DataObject) -> None:
    end = story[-1].source_time + timedelta(minutes=20)
    by_signal: dict[str, list[Observation]] = {}
    for position, seen in enumerate(story):  # distinct times: only then is the order across signals not meant
        later = Observation(seen.signal, seen.value, seen.source_time + timedelta(milliseconds=position))
        by_signal.setdefault(seen.signal, []).append(later)
    ordered = sorted((seen for group in by_signal.values() for seen in group), key=lambda seen: seen.source_time)
    batched = [seen for group in data.draw(st.permutations(list(by_signal.values()))) for seen in group]
    assert at_once(batched, end)[1] == at_once(ordered, end)[1]


@settings(max_examples=200, deadline=None)
@given(story=stories())
def test_time_is_either_unknown_or_alive_and_no_register_ever_falls(story: list[Observation]) -> None:
    end = story[-1].source_time + timedelta(hours=3)
    state, cuts = at_once(story, end)
    passed = to_ms(end) - to_ms(START)
    registers = state.registers
    for code in ("power_on", "program_run", "spindle_on", "cutting", "auto_run", "cutting_load", "item_executing"):
        assert registers.get(code, 0) + registers["unknown"] <= passed
        assert registers.get(f"billable_{code}", 0) <= registers.get(code, 0)
    assert registers.get("spindle_on", 0) + registers.get("occupied_idle", 0) + registers["unknown"] <= passed
    for earlier, later in pairwise(cuts):
        assert all(later.registers[code] >= value for code, value in earlier.registers.items())
    assert from_ms(to_ms(end)) == state.folded_to
