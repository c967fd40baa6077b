"""Whatever the machine does and whenever it is heard of, every planned cut is made once, at its moment."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from machine_agents.accrual import AccrualState, Cut, Policy, fold
from machine_agents.accrual_state import QUARTER_MS, Planned
from machine_agents.observation import Observation
from machine_agents.source_time import from_ms, to_ms
from metering.reading import Reason
from tests.machine_agents.test_accrual_chunks import POLICY, START, stories

HOUR = 3_600_000
_KINDS = (Reason.END, Reason.TARIFF_CHANGE, Reason.BEGIN)


@st.composite
def plans(draw: st.DrawFn) -> list[Planned]:
    """Cuts at moments on and off the grid, several at one moment too, in a schedule's order."""
    grid = to_ms(START) // QUARTER_MS * QUARTER_MS
    moments = st.one_of(
        st.integers(0, 40).map(lambda count: grid + count * QUARTER_MS),
        st.integers(0, 10 * HOUR).map(lambda ms: to_ms(START) + ms),
    )
    kinds = st.lists(st.sampled_from(_KINDS), min_size=1, max_size=3, unique=True)
    found = draw(st.dictionaries(moments, kinds, max_size=8))
    return [
        (at, kind, None if kind is Reason.TARIFF_CHANGE else f"s-{at}-{kind}")
        for at in sorted(found)
        for kind in sorted(found[at], key=_KINDS.index)
    ]


def planned_of(cuts: Sequence[Cut]) -> list[Planned]:
    return [(to_ms(cut.at), cut.reason, cut.session) for cut in cuts if cut.reason in _KINDS]


def folded(story: list[Observation], end: datetime, plan: Sequence[Planned]) -> tuple[AccrualState, list[Cut]]:
    state = AccrualState.begin(START)
    state.follow(plan)
    return state, fold(state, story, end, POLICY)


@settings(max_examples=300, deadline=None)
@given(story=stories(), plan=plans(), data=st.data())
def test_every_planned_cut_is_made_once_whatever_the_batches_and_restarts(
    story: list[Observation], plan: list[Planned], data: st.DataObject
) -> None:
    end = story[-1].source_time + timedelta(minutes=20)
    _, expected = folded(story, end, plan)
    assert planned_of(expected) == [cut for cut in plan if to_ms(START) < cut[0] <= to_ms(end)]
    state, cuts, done = AccrualState.begin(START), list[Cut](), 0
    state.follow(plan)
    while done < len(story):
        size = data.draw(st.integers(1, len(story) - done))
        chunk, done = story[done : done + size], done + size
        cuts += fold(state, chunk, chunk[-1].source_time - timedelta(milliseconds=1), POLICY)
        if data.draw(st.booleans()):
            state = AccrualState.from_json(state.to_json())
            state.follow(plan)
    assert cuts + fold(state, [], end, POLICY) == expected


@settings(max_examples=200, deadline=None)
@given(story=stories(), plan=plans())
def test_a_plan_changes_when_is_read_and_never_what(story: list[Observation], plan: list[Planned]) -> None:
    """The registers at each moment that both are read at, and in the end, are those of a meter without a plan."""
    end = story[-1].source_time + timedelta(hours=2)
    bare_state, bare = folded(story, end, [])
    state, cuts = folded(story, end, plan)
    assert state.registers == bare_state.registers
    known = {cut.at: cut.registers for cut in cuts}
    assert all(known[cut.at] == cut.registers for cut in bare if cut.at in known)
    missing = [cut.at for cut in bare if cut.at not in known]
    assert not missing or all(cut.reason is Reason.EXCEPTION for cut in bare if cut.at in missing)
    for earlier, later in pairwise(cuts):
        assert later.at >= earlier.at
        assert later.gap is None or earlier.at <= later.gap.start < later.gap.end <= later.at
        assert all(later.registers.get(code, 0) >= value for code, value in earlier.registers.items())


def test_a_session_in_a_long_silence_is_cut_where_no_quarter_hour_is() -> None:
    policy = Policy(silence_ms=60_000, long_gap_ms=1_800_000)
    start = datetime(2026, 5, 4, 6, tzinfo=UTC)
    state = AccrualState.begin(start, ["power"])
    begin, end = (to_ms(start) + hours * HOUR for hours in (5, 7))
    state.follow([(begin, Reason.BEGIN, "s"), (end, Reason.END, "s")])
    cuts = fold(state, [Observation("power", True, start)], start + timedelta(hours=10), policy)
    suppressed = [cut for cut in cuts if cut.at > start + timedelta(hours=1)]
    assert planned_of(suppressed) == [(begin, Reason.BEGIN, "s"), (end, Reason.END, "s")]
    opened, closed = suppressed
    assert closed.registers["unknown"] - opened.registers["unknown"] == 2 * HOUR
    assert closed.registers["power_on"] == opened.registers["power_on"] == 60_000
    assert closed.gap is not None
    assert (closed.gap.start, closed.gap.end) == (from_ms(begin), from_ms(end))


def test_a_plan_may_come_and_go_while_the_meter_runs() -> None:
    start = datetime(2026, 5, 4, 6, tzinfo=UTC)
    state = AccrualState.begin(start, ["power"])
    at = to_ms(start) + 7 * 60_000
    state.follow([(at, Reason.TARIFF_CHANGE, None)])
    state.follow([])
    assert fold(state, [], start + timedelta(minutes=14), POLICY) == []
    state.follow([(at, Reason.TARIFF_CHANGE, None), (at + HOUR, Reason.TARIFF_CHANGE, None)])
    cuts = fold(state, [], start + timedelta(minutes=70), POLICY)
    assert planned_of(cuts) == [(at + HOUR, Reason.TARIFF_CHANGE, None)]
    assert [cut.at.minute for cut in cuts] == [15, 30, 7]
