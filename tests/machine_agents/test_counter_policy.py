"""What a counter's unusual steps count for: exact, by policy, never more than was said to be possible."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machine_agents import profile
from machine_agents.counter_policy import HOUR_MS, TIME, Begin, CounterMemory, CounterPolicy, Event, StepBack, TooFast
from machine_agents.counter_table import read_counters, told
from tests.machine_agents.plain_server import PROFILE_TEXT


def counted(policy: CounterPolicy, *values: int, every_ms: int = 1_000) -> tuple[list[int], list[Event]]:
    """What each value counts for, and the events in order; a value every second."""
    memory, steps = CounterMemory(), []
    for number, value in enumerate(values):
        steps.append(memory.take(value, number * every_ms, policy))
    return [step.counted for step in steps], [event for step in steps for event in step.events]


def test_a_reset_to_zero_counts_nothing_or_what_it_shows_since() -> None:
    assert counted(CounterPolicy(), 90, 100, 0, 7) == ([0, 10, 0, 7], [Event.RESET])
    assert counted(CounterPolicy(reset_at_most=5), 90, 100, 4, 7) == ([0, 10, 0, 3], [Event.RESET])
    from_zero = CounterPolicy(reset=Begin.FROM_ZERO, reset_at_most=5)
    assert counted(from_zero, 90, 100, 4, 7) == ([0, 10, 4, 3], [Event.RESET])
    assert counted(from_zero, 90, 100, 6, 7) == ([0, 10, 0, 1], [Event.STEP_BACK])


def test_a_step_back_goes_on_from_there_or_waits_until_it_is_passed() -> None:
    assert counted(CounterPolicy(), 90, 100, 60, 65, 103) == ([0, 10, 0, 5, 38], [Event.STEP_BACK])
    held = CounterPolicy(step_back=StepBack.HOLD)
    assert counted(held, 90, 100, 60, 65, 103) == ([0, 10, 0, 0, 3], [Event.STEP_BACK])


def test_a_roll_over_counts_through_zero_and_a_far_fall_is_none() -> None:
    wide = CounterPolicy(modulus=2**32)
    assert counted(wide, 2**32 - 3, 2**32 - 1, 4) == ([0, 2, 5], [Event.ROLL_OVER])
    assert counted(wide, 10, 0) == ([0, 0], [Event.RESET])
    assert counted(wide, 2**32 - 3, 2**32, 2**32 - 1) == ([0, 0, 2], [Event.OUT_OF_RANGE])
    bound = CounterPolicy(modulus=1_000, most_per_hour=3_600, step=2)
    assert counted(bound, 998, 1) == ([0, 3], [Event.ROLL_OVER])
    assert counted(bound, 990, 8) == ([0, 0], [Event.STEP_BACK])


def test_nothing_grows_faster_than_real_time_in_sum_however_small_its_steps() -> None:
    second = CounterPolicy(most_per_hour=HOUR_MS, step=1_000)
    assert counted(second, 0, 2_000, 3_000, 5_000) == ([0, 2_000, 1_000, 0], [Event.TOO_FAST])
    cut = CounterPolicy(most_per_hour=HOUR_MS, step=1_000, too_fast=TooFast.CUT)
    assert counted(cut, 0, 2_000, 3_000, 5_000) == ([0, 2_000, 1_000, 1_000], [Event.TOO_FAST])
    assert counted(TIME, 0, HOUR_MS + 1_000, HOUR_MS + 3_000) == ([0, HOUR_MS + 1_000, 0], [Event.TOO_FAST])


def test_another_device_begins_anew_by_serial_number_or_by_declaration() -> None:
    memory = CounterMemory()
    for at, value in enumerate((500, 510)):
        memory.take(value, at, CounterPolicy())
    memory.replace()
    step = memory.take(900, 2, CounterPolicy())
    assert (step.counted, step.events, step.begun) == (0, (Event.REPLACED,), True)
    assert memory.take(903, 3, CounterPolicy()).counted == 3
    declared = CounterPolicy(replaced_at_ms=(2_000,), replacement=Begin.FROM_ZERO)
    assert counted(declared, 500, 510, 6, 8) == ([0, 10, 6, 2], [Event.REPLACED])


def test_a_counter_that_may_not_close_a_gap_leaves_it_open() -> None:
    for closes, grown in ((True, 30), (False, 0)):
        policy, memory = CounterPolicy(closes_gaps=closes), CounterMemory()
        memory.take(100, 0, policy)
        memory.interrupted()
        step = memory.take(130, 60_000, policy)
        assert (step.counted, step.of_gap) == (grown, True)
        assert step.events == (() if closes else (Event.GAP_LEFT_OPEN,))
        assert memory.take(131, 61_000, policy).counted == 1
    quiet = CounterMemory()
    quiet.take(100, 0, CounterPolicy(closes_gaps=False))
    quiet.interrupted()
    assert [quiet.take(value, at, CounterPolicy(closes_gaps=False)).counted for at, value in ((1, 100), (2, 101))] == [
        0,
        1,
    ]


policies = st.builds(
    CounterPolicy,
    reset=st.sampled_from(Begin),
    reset_at_most=st.integers(0, 50),
    step_back=st.sampled_from(StepBack),
    modulus=st.sampled_from([0, 1_000, 2**32]),
    replacement=st.sampled_from(Begin),
    replaced_at_ms=st.sampled_from([(), (5_000,), (5_000, 40_000)]),
    most_per_hour=st.sampled_from([0, 3_600, HOUR_MS]),
    step=st.integers(0, 20),
    too_fast=st.sampled_from(TooFast),
    closes_gaps=st.booleans(),
)
values = st.one_of(st.integers(0, 999), st.integers(-5, 2**33), st.integers(2**32 - 20, 2**32 + 5))
takes = st.lists(st.tuples(st.integers(0, 9_000), values, st.sampled_from(["", "", "", "gap", "serial"])), max_size=40)


@given(policy=policies, told_values=takes)
def test_whatever_it_shows_nothing_is_taken_back_and_no_bound_is_passed(
    policy: CounterPolicy, told_values: list[tuple[int, int, str]]
) -> None:
    memory, now, total, began = CounterMemory(), 0, 0, 0
    for pause, value, before in told_values:
        now += pause
        if before == "gap":
            memory.interrupted()
        elif before:
            memory.replace()
        was, base = memory.last, memory.base
        step = memory.take(value, now, policy)
        began = now if base is None else began
        total += step.counted
        assert step.counted >= 0
        assert step.plain == (max(0, value - was) if was is not None else 0)
        if step.counted != step.plain and was is not None and base == was:
            assert step.events, "what is not a counter's plain growth has a name"
        if policy.most_per_hour:
            assert total * HOUR_MS <= policy.step * HOUR_MS + (now - began) * policy.most_per_hour


@given(start=st.integers(0, 999), growths=st.lists(st.integers(0, 400), max_size=30))
def test_a_counter_that_rolls_over_counts_what_one_without_end_would(start: int, growths: list[int]) -> None:
    endless = [start, *(start + sum(growths[:number]) for number in range(1, len(growths) + 1))]
    seen, _ = counted(CounterPolicy(modulus=1_000), *(value % 1_000 for value in endless))
    assert seen[1:] == [later - earlier for earlier, later in pairwise(endless)]


def test_a_table_says_its_quantities_in_a_unit_and_times_are_bound_by_real_time() -> None:
    (table,) = ({"signal": "energy", "unit": "KWH", "modulus": 1_000_000, "most_per_hour": "0.5", "step": "0.001"},)
    energy = read_counters([table])["energy"]
    assert (energy.modulus, energy.most_per_hour, energy.step) == (10**12, 500_000, 1_000)
    assert read_counters([{"signal": "counter.auto"}])["counter.auto"] == TIME
    assert "rolls over at 1000000000000 mWh" in told("energy", energy)
    assert "at most 500000 mWh an hour and 1000 at once, else refuse" in told("energy", energy)
    moment = {"signal": "parts", "replaced": ["2026-11-25T11:00:00+01:00"]}
    assert read_counters([moment])["parts"].replaced_at_ms == (1_795_600_800_000,)


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ('signal = "power"', "signal must be energy, parts, or a time counter"),
        ('signal = "parts"', "nothing in this file gives the signal"),
        ('signal = "energy"\nrollover = 5', "'rollover' is not known; there are closes_gaps"),
        ('signal = "energy"\nreset = "zero"', "reset must be one of new_base, from_zero, not 'zero'"),
        ('signal = "energy"\nmodulus = 1.5', "modulus must be a whole number, or text"),
        ('signal = "energy"\nmodulus = "a"', "modulus 'a' is no number"),
        ('signal = "energy"\nmodulus = -1', "must be at least 0 and whole"),
        ('signal = "energy"\nstep = 5', "give most_per_hour too"),
        ('signal = "energy"\nunit = "SEC"', "unit 'SEC' must be a UN/ECE code for energy"),
        ('signal = "energy"\nmodulus = 5\nreset_at_most = 5', "reset_at_most must be below modulus"),
        ('signal = "energy"\nreplaced = ["2026-11-25"]', "is no moment with a zone"),
        ('signal = "energy"\nreplaced = "now"', "replaced must be a list"),
        ('signal = "energy"\ncloses_gaps = 1', "closes_gaps must be true or false"),
        ('signal = "energy"\n[[counter]]\nsignal = "energy"', "it has two [[counter]] tables"),
    ],
)
def test_every_mistake_in_a_table_is_said_with_its_counter(table: str, what: str) -> None:
    with pytest.raises(profile.BadProfile) as told_why:
        profile.parse(f"{PROFILE_TEXT}\n[[counter]]\n{table}\n", "mine.toml")
    assert what in str(told_why.value)
    assert str(told_why.value).startswith("mine.toml: counter '")
