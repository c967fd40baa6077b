"""A control's counters: resets, coarse steps, and where an increase beside the agent's own time came from."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from machine_agents.accrual import AccrualState, Policy, fold
from machine_agents.crosscheck import Comparison, cross_check, growth
from machine_agents.observation import Observation

START = datetime(2026, 5, 4, 6, 0, tzinfo=UTC)
SIGNALS = ("power", "mode", "execution", "counter.auto", "counter.power_on")


def compared(*lines: tuple[float, str, int | str | bool | None], until: float) -> tuple[dict[str, int], Comparison]:
    state = AccrualState.begin(START, SIGNALS)
    alive = [(second, "feed", 0) for second in range(0, int(until), 10)]
    story = [
        Observation(signal, value, START + timedelta(seconds=second))
        for second, signal, value in sorted([*lines, *alive], key=lambda line: line[0])
    ]
    fold(state, story, START + timedelta(seconds=until), Policy(silence_ms=15_000))
    auto = next(c for c in cross_check(state.registers).comparisons if c.counter == "auto")
    return state.registers, auto


AUTOMATIC = (0, "mode", "automatic")


def test_a_counter_that_agrees_leaves_nothing() -> None:
    ticks = [(second, "counter.auto", second * 1000) for second in range(61)]
    _, auto = compared(AUTOMATIC, (0, "execution", "active"), (60, "execution", "ready"), *ticks, until=70)
    assert (auto.counter_ms, auto.own_ms, auto.difference) == (60_000, 60_000, 0)
    assert not any(auto.causes.values())


def test_a_held_program_is_named_as_the_cause() -> None:
    ticks = [(second, "counter.auto", second * 1000) for second in range(61)]
    _, auto = compared(AUTOMATIC, (0, "execution", "active"), (40, "execution", "feed_hold"), *ticks, until=61)
    assert auto.difference == 20_000
    assert auto.causes["hold"] == 20_000
    assert auto.unexplained == 0


def test_another_mode_is_named_as_the_cause() -> None:
    ticks = [(second, "counter.auto", second * 1000) for second in range(31)]
    _, auto = compared((0, "mode", "mdi"), (0, "execution", "active"), *ticks, until=31)
    assert (auto.own_ms, auto.causes["mode"]) == (0, 30_000)


def test_steps_of_360_s_agree_but_for_the_last_one() -> None:
    steps = [(0, "counter.auto", 720_000), (200, "counter.auto", 1_080_000), (560, "counter.auto", 1_440_000)]
    _, auto = compared(AUTOMATIC, (0, "execution", "active"), *steps, until=700)
    assert (auto.counter_ms, auto.own_ms) == (720_000, 700_000)
    assert auto.causes == {"hold": 0, "mode": 0, "gap": 0, "other": 0, "agent_only": 20_000}


def test_a_jump_across_an_outage_counts_and_is_named_a_gap() -> None:
    registers, auto = compared(
        AUTOMATIC,
        (0, "execution", "active"),
        (0, "counter.auto", 5_000),
        (50, "counter.auto", 55_000),
        (60, "counter.auto", None),
        (60, "execution", None),
        (90, "execution", "ready"),
        (90, "counter.auto", 95_000),
        until=100,
    )
    assert registers["counter.auto"] == 90_000
    assert auto.causes == {"hold": 0, "mode": 0, "gap": 30_000, "other": 0, "agent_only": 0}


def test_a_step_back_adds_nothing_and_counting_goes_on_from_there() -> None:
    registers, _ = compared(
        (0, "counter.power_on", 100_000),
        (0, "power", True),
        (100, "counter.power_on", 200_000),
        (110, "counter.power_on", 120_000),
        (120, "counter.power_on", 130_000),
        until=130,
    )
    assert registers["counter.power_on"] == 110_000


def test_a_counter_moving_while_idle_is_not_explained_away() -> None:
    _, auto = compared(
        AUTOMATIC, (0, "execution", "ready"), (0, "counter.auto", 0), (50, "counter.auto", 40_000), until=60
    )
    assert auto.causes["other"] == auto.unexplained == 40_000


STATES = st.tuples(st.sampled_from(["execution"]), st.sampled_from(["active", "interrupted", "ready", None]))
MODES = st.tuples(st.just("mode"), st.sampled_from(["automatic", "mdi"]))
COUNTS = st.tuples(st.just("counter.auto"), st.one_of(st.none(), st.integers(0, 10_000_000)))


@given(st.lists(st.tuples(st.integers(1, 400), st.one_of(STATES, MODES, COUNTS)), max_size=50), st.integers(0, 50))
def test_causes_always_sum_up_to_the_difference_and_over_any_two_parts(
    story: list[tuple[int, tuple[str, int | str | None]]], split: int
) -> None:
    state, moment, middle = AccrualState.begin(START, SIGNALS), START, dict[str, int]()
    for position, (pause, (signal, value)) in enumerate(story):
        moment += timedelta(seconds=pause)
        fold(state, [Observation(signal, value, moment)], moment, Policy())
        if position == split:
            middle = dict(state.registers)
    whole = cross_check(state.registers).comparisons
    parts = (
        [cross_check(middle).comparisons, cross_check(growth(state.registers, middle)).comparisons] if middle else []
    )
    for position, comparison in enumerate(whole):
        assert sum(comparison.causes.values()) == comparison.difference
        assert all(comparison.causes[cause] >= 0 for cause in comparison.causes if cause != "agent_only")
        if parts:
            for cause, length in comparison.causes.items():
                assert length == sum(part[position].causes[cause] for part in parts)
