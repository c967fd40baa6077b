"""However observations are batched, repeated and interrupted by restarts, the cuts are the same."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from machine_agents.accrual import AccrualState, Cut, Policy, fold
from machine_agents.observation import Observation
from machine_agents.shortfall import may_lose
from machine_agents.signal_codes import lossy_codes_of
from machine_agents.source_time import from_ms, to_ms

START = datetime(2026, 5, 4, 6, 7, 0, 1, tzinfo=UTC)
POLICY = Policy(silence_ms=40_000, long_gap_ms=1_800_000)

LOST = ("spindle.S1.speed", "axis.X.position", "feed", "parts", "counter.cut")
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
@given(story=stories(), data=st.data())
def test_time_that_has_not_passed_is_unknown_and_what_was_taken_says_so_by_itself(
    story: list[Observation], data: st.DataObject
) -> None:
    state, plain = AccrualState.begin(START), AccrualState.begin(START)
    cuts, again = list[Cut](), list[Cut]()
    done, doubted = 0, 0
    while done < len(story):
        size = data.draw(st.integers(1, len(story) - done))
        heartbeat = story[done + size - 1].source_time + timedelta(milliseconds=data.draw(st.integers(0, 5_000)))
        jump = data.draw(st.sampled_from([0, 0, 1, 700, 20_000, 900_000]))
        before = state.registers["unknown"] if state.asleep_since is None else None
        if jump and before is not None and not state.doubted_until:
            doubted += min(jump, max(0, to_ms(heartbeat) - state.settled))
        cuts += fold(state, story[done : done + size], heartbeat, POLICY, doubted_ms=jump)
        taken = [
            Observation(signal, value, from_ms(0) + timedelta(microseconds=us)) for us, signal, value in state.taken
        ]
        again += fold(plain, taken, heartbeat, POLICY)
        done += size
        if data.draw(st.booleans()):
            state = AccrualState.from_json(state.to_json())
    assert again == cuts
    assert plain.registers == state.registers
    assert state.registers["unknown"] >= doubted


@settings(max_examples=100, deadline=None)
@given(jumps=st.lists(st.integers(0, 3_000), min_size=1, max_size=40), silent=st.booleans())
def test_what_runs_and_what_has_not_passed_add_up_to_the_millisecond(jumps: list[int], silent: bool) -> None:
    """A machine that runs all the time, on a clock that is set forward again and again, more than a second a second."""
    state, now, started = AccrualState.begin(START), START, to_ms(START)
    fold(state, [Observation("power", True, START), Observation("axis.X.position", 0, START)], START, POLICY)
    for step, jump in enumerate(jumps, start=1):
        now += timedelta(seconds=1)
        said = [] if silent else [Observation("axis.X.position", 10 * step, now)]
        fold(state, said, now, POLICY, doubted_ms=jump)
    passed = to_ms(now) - started
    doubted = passed - state.registers["power_on"]
    owed = max(0, state.doubted_until - state.settled)
    assert state.registers["unknown"] == doubted == sum(jumps) - owed
    assert state.registers["travel.X"] <= 10 * len(jumps)


@settings(max_examples=100, deadline=None)
@given(
    story=stories(),
    lost=st.sets(st.sampled_from(LOST)),
)
def test_what_may_have_been_lost_runs_by_name_until_the_signal_speaks_again(
    story: list[Observation], lost: set[str]
) -> None:
    alive = [Observation("power", True, START + timedelta(seconds=second)) for second in range(0, 91, 30)]
    values = [Observation(signal, 7, START) for signal in sorted(lost)]
    state = AccrualState.begin(START)
    fold(state, [*alive[:1], *values], START, POLICY)
    at = START + timedelta(seconds=30)
    fold(state, alive[1:2], at, POLICY)
    fold(state, may_lose(state, lost), at, POLICY)
    state = AccrualState.from_json(state.to_json())
    back = at + timedelta(seconds=30)
    found = [Observation(signal, 7, back - timedelta(seconds=10)) for signal in lost]
    fold(state, [*found, *alive[2:3]], back, POLICY)
    fold(state, alive[3:], back + timedelta(seconds=30), POLICY)
    wanted = {f"unknown.{code}": 20_000 for signal in lost for code in lossy_codes_of(signal)}
    assert {code: value for code, value in state.registers.items() if code.startswith("unknown.")} == wanted
    assert ("unknown.travel.X" in wanted) is ("axis.X.position" in lost)
    assert not any(code.startswith(("unknown.parts", "unknown.counter")) for code in wanted)
    fold(
        state,
        [Observation(one.signal, one.value, one.source_time + timedelta(minutes=3)) for one in story],
        None,
        POLICY,
    )
    fold(state, [], back + timedelta(hours=30), POLICY)
    assert all(state.registers[code] == value for code, value in wanted.items())


def test_a_lost_signal_that_speaks_again_after_a_silence_does_not_fill_it() -> None:
    state = AccrualState.begin(START)
    fold(state, [Observation("power", True, START), Observation("feed", 1, START)], START, POLICY)
    fold(state, may_lose(state, ["feed"]), START + timedelta(seconds=1), POLICY)
    back = START + timedelta(seconds=100)
    fold(state, [Observation("feed", 1, back)], back, POLICY)
    assert state.registers["power_on"] == POLICY.silence_ms
    assert state.registers["unknown"] == 100_000 - POLICY.silence_ms
    assert state.registers["unknown.cutting"] == POLICY.silence_ms


def test_names_of_what_was_lost_do_not_crowd_out_the_registers_of_a_reading() -> None:
    axes = [f"axis.A{number}.position" for number in range(120)]
    state = AccrualState.begin(START, axes)
    fold(state, [Observation("power", True, START), *(Observation(axis, 0, START) for axis in axes)], START, POLICY)
    fold(state, may_lose(state, axes), START + timedelta(seconds=5), POLICY)
    assert len(state.registers) <= 128
    assert sum(code.startswith("unknown.travel.") for code in state.registers) >= 4


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
