"""A real month: May 2018 of a Mazak Integrex in the NIST SMS Test Bed, when the file is at hand."""

import os
from datetime import timedelta
from itertools import groupby
from pathlib import Path

import pytest

from machine_agents.accrual import AccrualState, Cut, Policy, fold
from machine_agents.crosscheck import Comparison, cross_check, growth
from machine_agents.recording import Recording, read_recording

SHARED = Path(os.environ.get("SPINDLESHARE_TEST_SHARED", Path(__file__).parents[3] / "shared"))
FILE = SHARED / "data" / "nist-mazak01-2018-05" / "Mazak01-2018-05.txt.xz"
HELD_UNTIL_UNAVAILABLE = Policy(silence_ms=10**12)
HOUR = 3_600_000

pytestmark = pytest.mark.skipif(
    not FILE.exists() and not (os.environ.get("CI") == "true" and SHARED.exists()),
    reason=f"the NIST recording is not at {FILE}",
)


@pytest.fixture(scope="module")
def month() -> Recording:
    return read_recording(FILE)


@pytest.fixture(scope="module")
def cuts(month: Recording) -> list[Cut]:
    return cut(month, Policy(silence_ms=month.header.silence_ms))


def cut(month: Recording, policy: Policy) -> list[Cut]:
    state = AccrualState.begin(month.header.begin, month.header.signals)
    return fold(state, month.observations, month.header.end, policy)


def compared(cuts: list[Cut]) -> dict[str, Comparison]:
    return {comparison.counter: comparison for comparison in cross_check(cuts[-1].registers).comparisons}


def hours(milliseconds: int) -> float:
    return round(milliseconds / HOUR, 2)


def test_what_was_read(month: Recording) -> None:
    counted = month.statistics
    assert (counted.lines, counted.duplicates, counted.stale, counted.unavailable) == (410_343, 2_580, 2_666, 4_894)


def test_the_known_figures_when_values_are_held_until_unavailable(month: Recording) -> None:
    registers = cut(month, HELD_UNTIL_UNAVAILABLE)[-1].registers
    assert hours(registers["program_run"]) == 8.63
    assert (hours(registers["spindle_on.S1"]), hours(registers["spindle_on.S2"])) == (2.42, 4.51)
    counters = [hours(registers[f"counter.{name}"]) for name in ("auto", "cut", "power_on")]
    assert counters == [9.49, 4.95, 63.18]


def test_silence_before_unavailable_is_not_counted(cuts: list[Cut]) -> None:
    registers = cuts[-1].registers
    assert (registers["program_run"], registers["spindle_on.S1"], registers["spindle_on.S2"]) == (
        30_976_071,
        8_727_614,
        16_167_835,
    )
    assert registers["power_on"] + registers["unknown"] <= 31 * 24 * HOUR


def test_automatic_run_differs_by_named_causes(cuts: list[Cut]) -> None:
    auto = compared(cuts)["auto"]
    assert (hours(auto.counter_ms), hours(auto.own_ms), hours(auto.difference)) == (9.49, 8.44, 1.05)
    assert (hours(auto.causes["hold"]), hours(auto.causes["gap"]), hours(auto.causes["mode"])) == (0.70, 0.18, 0.16)
    assert abs(auto.causes["other"]) + abs(auto.causes["agent_only"]) < auto.counter_ms * 0.002


def test_power_on_differs_by_outages_of_the_line(cuts: list[Cut]) -> None:
    power = compared(cuts)["power_on"]
    assert (hours(power.counter_ms), hours(power.own_ms)) == (63.18, 57.73)
    assert abs(power.difference - power.causes["gap"]) < power.counter_ms * 0.0002


def test_cutting_agrees_within_what_samples_a_second_apart_can_see(cuts: list[Cut]) -> None:
    cutting = compared(cuts)["cut"]
    assert (hours(cutting.counter_ms), hours(cutting.own_ms)) == (4.95, 5.03)
    assert abs(cutting.difference) < cutting.counter_ms * 0.02
    assert abs(cutting.unexplained) < cutting.counter_ms * 0.055
    assert cutting.causes["other"] == 0


def test_what_only_the_agent_counts_as_cutting_lies_in_samples_with_a_change_of_feed_or_a_return(
    month: Recording, cuts: list[Cut]
) -> None:
    """The control's cutting counter misses a beat where an axis jumps between two samples (a rapid return between
    passes, at which the feed reported stays the cutting feed), and where the feed changes within a sample."""
    feed, cutting, positions, counter, before = 0, False, dict[str, int](), 0, month.header.begin
    missed = {"changing": 0.0, "steady": 0.0}
    state: dict[str, int | str | bool | None] = {}
    for moment, group in groupby(month.observations, key=lambda seen: seen.source_time):
        length, before = (moment - before) / timedelta(seconds=1), moment
        was_feed, was_cutting, was_positions, was_counter = feed, cutting, dict(positions), counter
        for seen in group:
            state[seen.signal] = seen.value
            if seen.signal.startswith("axis.") and isinstance(seen.value, int):
                positions[seen.signal] = seen.value
        feed, counter = int(state.get("feed") or 0), int(state.get("counter.cut") or 0)
        turning = any(state.get(f"spindle.{name}.speed") for name in ("S1", "S2"))
        cutting = state.get("execution") == "active" and turning and 0 < feed <= Policy().cutting_feed_max_um_s
        if was_cutting and length < 5 and was_counter and counter:
            moved = max(
                (abs(positions[axis] - was_positions.get(axis, at)) for axis, at in positions.items()), default=0
            )
            returned = moved > 3 * was_feed * length + 1_000
            kind = "changing" if returned or feed != was_feed else "steady"
            missed[kind] += length - (counter - was_counter) / 1000
    assert missed["changing"] > 3 * abs(missed["steady"]), missed


def test_the_cross_check_of_quarter_hours_sums_up_to_the_months(cuts: list[Cut]) -> None:
    total: dict[tuple[str, str], int] = {}
    earlier: dict[str, int] = {}
    for each in cuts:
        for comparison in cross_check(growth(each.registers, earlier)).comparisons:
            for cause, length in comparison.causes.items():
                total[comparison.counter, cause] = total.get((comparison.counter, cause), 0) + length
        earlier = dict(each.registers)
    whole = {(c.counter, cause): length for c in compared(cuts).values() for cause, length in c.causes.items()}
    assert total == whole


def test_the_busy_day(month: Recording) -> None:
    day = month.day("2018-05-29")
    registers = cut(day, Policy(silence_ms=day.header.silence_ms))[-1].registers
    assert registers["spindle_on"] == 7_666_582
    assert registers["program_run"] == 8_310_813


def test_batches_of_any_size_give_the_months_cuts(month: Recording, cuts: list[Cut]) -> None:
    state = AccrualState.begin(month.header.begin, month.header.signals)
    policy, chunked = Policy(silence_ms=month.header.silence_ms), list[Cut]()
    for start in range(0, len(month.observations), 9_973):
        chunk = month.observations[start : start + 9_973]
        chunked += fold(state, chunk, chunk[-1].source_time - timedelta(seconds=3), policy)
        state = AccrualState.from_json(state.to_json())
    assert chunked + fold(state, [], month.header.end, policy) == cuts
