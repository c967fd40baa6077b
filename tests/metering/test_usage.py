"""Quarter hours: sums are exact whatever the readings' times, and silence costs nothing."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.interval import RegisterFell, intervals, steps, thinned
from metering.period import Period, quarter_start
from metering.reading import Reading, Reason, Status, TimeQuality
from metering.usage import Usage, cut, quarter_hours

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
CELL = ("S1", 6154)


def reading(
    sequence: int, minutes: float, cutting: int, *, cell: int | None = None, status: Status = Status.GOOD
) -> Reading:
    return Reading(
        sequence=sequence,
        device_time=START + timedelta(minutes=minutes),
        time_quality=TimeQuality.SYNCHRONISED,
        reason=Reason.DURING,
        status=status,
        registers={"cutting": cutting},
        spectrum={} if cell is None else {CELL: cell},
    )


def told(usages: list[Usage]) -> list[tuple[int, int, bool]]:
    """(minutes from START, growth of cutting, substitute)."""
    return [((u.period.start - START) // timedelta(minutes=1), u.deltas["cutting"], u.substitute) for u in usages]


def test_readings_at_quarter_hours_are_plain_differences() -> None:
    usages = quarter_hours([reading(1, 0, 0, cell=5), reading(2, 15, 700, cell=105), reading(3, 30, 700)], meter="M")
    assert told(usages) == [(0, 700, False), (15, 0, False)]
    assert [dict(usage.spectrum) for usage in usages] == [{CELL: 100}, {}]
    assert [usage.evidence for usage in usages] == [(1, 2), (2, 3)]
    assert usages[0].period == Period(START, START + timedelta(minutes=15))


def test_readings_within_a_quarter_hour_are_summed() -> None:
    usages = quarter_hours([reading(n, 5 * (n - 1), 10 * n, cell=n) for n in range(1, 5)], meter="M")
    assert told(usages) == [(0, 30, False)]
    assert usages[0].spectrum == {CELL: 3}
    assert usages[0].evidence == (1, 4)


def test_a_stretch_over_several_quarter_hours_is_spread_and_marked() -> None:
    usages = quarter_hours([reading(1, 5, 0), reading(2, 35, 100)], meter="M")
    assert told(usages) == [(5, 33, True), (15, 50, True), (30, 17, True)]


def test_silence_without_growth_is_known_to_be_nothing() -> None:
    usages = quarter_hours([reading(1, 0, 500), reading(2, 60, 500)], meter="M")
    assert told(usages) == [(0, 0, False), (15, 0, False), (30, 0, False), (45, 0, False)]


def test_what_grew_all_the_time_is_no_guess() -> None:
    usages = quarter_hours([reading(1, 10, 0), reading(2, 20, 600_000)], meter="M")
    assert told(usages) == [(10, 300_000, False), (15, 300_000, False)]


def test_a_reading_that_is_not_good_marks_its_usage() -> None:
    usages = quarter_hours([reading(1, 0, 0), reading(2, 15, 7, status=Status.SUBSTITUTE)], meter="M")
    assert told(usages) == [(0, 7, True)]


def test_playback_is_marked_from_its_first_reading_to_its_last() -> None:
    readings = [reading(n, 15 * (n - 1), n) for n in range(1, 5)]
    assert [u.replayed for u in quarter_hours(readings, meter="M", replayed={2, 3})] == [True, True, False]


def test_a_fall_is_refused() -> None:
    with pytest.raises(RegisterFell, match="cutting fell between readings 1 and 2"):
        quarter_hours([reading(1, 0, 5), reading(2, 15, 4)], meter="M")
    with pytest.raises(RegisterFell):
        quarter_hours([reading(1, 0, 5, cell=9), reading(2, 15, 5, cell=8)], meter="M")
    with pytest.raises(RegisterFell):
        quarter_hours([reading(1, 15, 5), reading(2, 0, 5)], meter="M")


steps_drawn = st.lists(
    st.tuples(st.integers(0, 5_400_000), st.integers(0, 10**9), st.none() | st.integers(0, 10**6)),
    min_size=1,
    max_size=12,
)


def life(drawn: list[tuple[int, int, int | None]]) -> list[Reading]:
    """Readings from steps of (milliseconds on, growth, growth of a cell or none); a last one closes the time."""
    now, total, cell, readings = 0, 0, 0, []
    for sequence, (later, grown, cell_grown) in enumerate([*drawn, (60_000, 0, None)], start=1):
        now, total, cell = now + later, total + grown, cell + (cell_grown or 0)
        readings.append(reading(sequence, 0, total, cell=cell if cell_grown is not None else None))
        object.__setattr__(readings[-1], "device_time", START + timedelta(milliseconds=now))
    return readings


@given(steps_drawn)
def test_sums_are_exact_and_quarter_hours_do_not_overlap(drawn: list[tuple[int, int, int | None]]) -> None:
    readings = life(drawn)
    usages = quarter_hours(readings, meter="M")
    assert (
        sum(u.deltas["cutting"] for u in usages) == readings[-1].registers["cutting"] - readings[0].registers["cutting"]
    )
    cells = [r.spectrum[CELL] for r in readings if CELL in r.spectrum]
    first = readings[0].spectrum.get(CELL, 0)
    assert sum(u.spectrum.get(CELL, 0) for u in usages) == max(cells, default=0) - first
    assert all(value >= 0 for usage in usages for value in (*usage.deltas.values(), *usage.spectrum.values()))
    assert all(usage.period.end <= quarter_start(usage.period.start) + timedelta(minutes=15) for usage in usages)
    assert all(a.period.end == b.period.start for a, b in pairwise(usages))
    assert max(Counter(quarter_start(u.period.start) for u in usages).values()) == 1


@given(steps_drawn, st.data())
def test_cutting_in_two_goes_is_cutting_in_one(drawn: list[tuple[int, int, int | None]], data: st.DataObject) -> None:
    """What the service does with each batch: from the reading that began the open quarter hour, on."""
    readings = life(drawn)
    middle = data.draw(st.integers(1, len(readings)))
    before = readings[:middle]
    quarter = quarter_start(before[-1].device_time)
    at = max(r.device_time for r in before if r.device_time <= quarter or r is before[0])
    base = next(index for index, r in enumerate(readings) if r.device_time == at)
    cells = {CELL: max((r.spectrum.get(CELL, 0) for r in readings[: base + 1]), default=0)}
    again = quarter_hours(readings[base:], meter="M", spectrum_before=cells)
    early = [u for u in quarter_hours(before, meter="M") if quarter_start(u.period.start) < quarter]
    late = [u for u in again if quarter_start(u.period.start) >= quarter]
    assert early + late == quarter_hours(readings, meter="M")


@given(steps_drawn, st.lists(st.sampled_from(Status), min_size=13, max_size=13), st.sets(st.integers(1, 13)))
def test_thinning_changes_nothing(
    drawn: list[tuple[int, int, int | None]], statuses: list[Status], played: set[int]
) -> None:
    walk = [
        replace(step, reading=replace(step.reading, status=status))
        for step, status in zip(steps(life(drawn), replayed=played), statuses, strict=False)
    ]
    assert cut(intervals(thinned(walk)), meter="M") == cut(intervals(walk), meter="M")


def test_thinning_leaves_two_steps_a_quarter_hour() -> None:
    walk = list(steps(reading(n, 0.2 * n, n, cell=n) for n in range(1, 1000)))
    assert len(thinned(walk)) <= 2 * (200 // 15 + 1)


@given(st.lists(st.sampled_from(TimeQuality), min_size=2, max_size=12), st.integers(1, 20))
def test_a_doubtful_clock_at_either_end_of_a_stretch_marks_its_quarter_hours(
    qualities: list[TimeQuality], minutes: int
) -> None:
    """Also when readings in between are left out as unneeded."""
    readings = [
        replace(reading(number, minutes * number, number), time_quality=quality)
        for number, quality in enumerate(qualities, start=1)
    ]
    doubtful = {
        quarter.start
        for one, other in pairwise(readings)
        if {one.time_quality, other.time_quality} != {TimeQuality.SYNCHRONISED}
        for part in Period(one.device_time, other.device_time).quarter_hours()
        for quarter in [replace_start(part)]
    }
    for usages in (
        quarter_hours(readings, meter="M"),
        cut(intervals(thinned(steps(readings))), meter="M"),
    ):
        assert {quarter_start(usage.period.start) for usage in usages if usage.unsynchronised} == doubtful


def replace_start(part: Period) -> Period:
    """The whole quarter hour that a part of one lies in."""
    start = quarter_start(part.start)
    return Period(start, start + timedelta(minutes=15))
