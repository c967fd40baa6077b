"""Balances: opening + booked + explained + unexplained = closing, to the unit, wherever readings and months fall."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.completeness.balance import Balance, Bound, Kind, NotOnQuarterHours, Share, balance, bound, summed
from metering.completeness.declaration import Declaration, DeclaredKind
from metering.completeness.explain import explain
from metering.fitting import Fitting
from metering.machine import Meter
from metering.period import QUARTER_HOUR, Period
from metering.reading import Reading, Reason, Status, TimeQuality
from metering.usage import Usage, quarter_hours

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
CODES = ("billable_program_run", "maintenance", "power_on", "program_run", "spindle_on", "travel.X", "unknown")
MINUTE = timedelta(minutes=1)


def reading(sequence: int, minutes: int, values: dict[str, int]) -> Reading:
    status, quality = Status.GOOD, TimeQuality.SYNCHRONISED
    return Reading(sequence, START + minutes * MINUTE, quality, Reason.DURING, status, values)


@st.composite
def lives(draw: st.DrawFn) -> list[Reading]:
    """Readings minutes or hours apart, some of one moment; a register may come later."""
    steps = draw(st.lists(st.sampled_from([0, 1, 7, 15, 30, 95, 1000]), min_size=1, max_size=12))
    growths = draw(
        st.lists(
            st.dictionaries(st.sampled_from(CODES), st.integers(0, 10**7), max_size=len(CODES)),
            min_size=len(steps),
            max_size=len(steps),
        )
    )
    registers: dict[str, int] = {}
    found = []
    for sequence, (minutes, grown) in enumerate(zip(accumulate(steps), growths, strict=True), start=1):
        registers = {code: registers.get(code, 0) + grown.get(code, 0) for code in {**registers, **grown}}
        found.append(reading(sequence, minutes, registers))
    return found


def bound_of(life: list[Reading], at: datetime) -> Bound | None:
    """By the rule of the store's query: of several readings of one moment the first."""
    before = [one for one in life if one.device_time <= at]
    last = next((one for one in before if one.device_time == before[-1].device_time), None)
    return bound(last, next((one for one in life if one.device_time > at), None), at)


def balanced(life: list[Reading], period: Period, booked: set[int]) -> tuple[Balance, list[Usage]]:
    usage = [row for row in quarter_hours(life, meter="M") if period.start <= row.period.start < period.end]
    mine = [row for index, row in enumerate(usage) if index in booked]
    rest = [row for index, row in enumerate(usage) if index not in booked]
    shares = [Share(Kind.BOOKING, "b", "booking", row.period, row.deltas, row.evidence) for row in mine]
    opening, closing = bound_of(life, period.start), bound_of(life, period.end)
    return balance("M", period, opening, closing, [*shares, *explain(rest)]), usage


@given(life=lives(), first=st.integers(-3, 200), length=st.integers(1, 200), booked=st.sets(st.integers(0, 30)))
def test_every_unit_is_in_one_place(life: list[Reading], first: int, length: int, booked: set[int]) -> None:
    """No register drifts: what readings tell at both ends is what the quarter hours between them sum up to."""
    start = START + first * QUARTER_HOUR
    found, usage = balanced(life, Period(start, start + length * QUARTER_HOUR), booked)
    for line in found.lines():
        assert line.opening + line.booked + line.explained + line.unexplained == line.closing
        assert line.adrift == 0
        assert min(line.booked, line.explained, line.unexplained) >= 0
    if found.opening is None:
        assert usage == []


@given(life=lives(), cut=st.integers(1, 60))
def test_one_months_closing_is_the_next_ones_opening(life: list[Reading], cut: int) -> None:
    middle = START + cut * QUARTER_HOUR
    before, _ = balanced(life, Period(START, middle), set())
    after, _ = balanced(life, Period(middle, START + 400 * QUARTER_HOUR), set())
    if before.closing and after.opening:
        assert before.closing == after.opening or before.closing.at < middle


@given(
    life=lives(),
    at=st.integers(0, 11),
    spare=st.dictionaries(st.sampled_from(CODES), st.integers(0, 10**7)),
    first=st.integers(-3, 200),
    length=st.integers(1, 200),
    booked=st.sets(st.integers(0, 30)),
)
def test_a_change_of_meters_loses_and_adds_nothing(
    life: list[Reading], at: int, spare: dict[str, int], first: int, length: int, booked: set[int]
) -> None:
    """One life counted by two meters: the second begins where the first ends, with registers of its own. Their sums
    hold as one meter's do, and over both grew what one meter would have told."""
    at = min(at, len(life) - 1)
    changed, before = life[at].device_time, life[at].registers
    old = Fitting(Meter(id=UUID(int=1), machine_id=UUID(int=3), owner_id=UUID(int=4), serial="M"), None, changed)
    new = Fitting(replace(old.meter, id=UUID(int=2), serial="N"), changed, None)
    later = [
        replace(
            one,
            sequence=one.sequence - at,
            # What it had counted before it came: of a register that appears later, nothing.
            registers={
                code: value - before[code] + spare.get(code, 0) if code in before else value
                for code, value in one.registers.items()
            },
        )
        for one in life[at:]
    ]
    start = START + first * QUARTER_HOUR
    period = Period(start, start + length * QUARTER_HOUR)
    alone, _ = balanced(life, period, booked)
    both = [
        balanced(readings, inside, booked)[0]
        for fitted, readings in ((old, life[: at + 1]), (new, later))
        if (inside := fitted.quarter_hours(period))
    ]
    for code in CODES:
        line = summed(one.line(code) for one in both)
        assert line.opening + line.booked + line.explained + line.unexplained == line.closing
        assert line.adrift == 0
        assert min(line.booked, line.explained, line.unexplained) >= 0
        one = alone.line(code)
        assert line.closing - line.opening == one.closing - one.opening


def test_usage_that_was_lost_shows_as_adrift() -> None:
    life = [reading(n, 15 * n, {"spindle_on": 1000 * n}) for n in range(5)]
    period = Period(START, START + timedelta(hours=1))
    usage = quarter_hours(life, meter="M")[1:]
    opening, closing = bound_of(life, period.start), bound_of(life, period.end)
    line = balance("M", period, opening, closing, explain(usage)).line("spindle_on")
    assert (line.unexplained, line.adrift) == (4000, 1000)


def test_a_balance_is_on_quarter_hours() -> None:
    with pytest.raises(NotOnQuarterHours):
        bound(None, None, START + MINUTE)


def row(quarter: int, *, substitute: bool = False, **deltas: int) -> Usage:
    period = Period(START + quarter * QUARTER_HOUR, START + (quarter + 1) * QUARTER_HOUR)
    named = {code.replace("__", "."): value for code, value in deltas.items()}
    return Usage("M", period, named, substitute=substitute, evidence=(quarter + 1, quarter + 2))


def told(shares: list[Share]) -> list[tuple[Kind, str, dict[str, int]]]:
    return [(share.kind, share.name, {code: v for code, v in share.deltas.items() if v}) for share in shares]


def test_a_runtime_register_is_split_exactly_by_its_twin() -> None:
    """Five minutes of warm-up, then seven of a program; travel has no twin and follows the program."""
    one = row(0, power_on=900, program_run=12, billable_program_run=7, warm_up=5, travel__X=90)
    exempt = {"power_on": 0, "program_run": 5, "warm_up": 5}
    assert told(explain([one])) == [
        (Kind.EXEMPT, "warm-up", {code: v for code, v in exempt.items() if v}),
        (
            Kind.OUTSIDE,
            "a program ran, nobody had booked",
            {"power_on": 900, "program_run": 7, "billable_program_run": 7, "travel.X": 90},
        ),
    ]


def test_a_quarter_hour_of_maintenance_alone_is_explained_whole() -> None:
    one = row(0, power_on=900, program_run=12, billable_program_run=0, maintenance=15, travel__X=90)
    assert told(explain([one])) == [
        (Kind.EXEMPT, "maintenance", {"power_on": 900, "program_run": 12, "maintenance": 15, "travel.X": 90})
    ]


def test_idle_gap_and_substitute_have_names() -> None:
    rows = [row(0, power_on=900), row(1, unknown=900), row(2, substitute=True, spindle_on=3), row(3, power_on=0)]
    assert [share.kind for share in explain(rows)] == [Kind.IDLE, Kind.GAP, Kind.SUBSTITUTE]


def test_adjoining_quarter_hours_are_one_stretch_with_its_readings() -> None:
    shares = explain([row(n, spindle_on=10) for n in (0, 1, 2, 5)])
    assert [(share.evidence, share.deltas["spindle_on"]) for share in shares] == [((1, 4), 30), ((6, 7), 10)]


def test_what_the_owner_declares_is_explained_whatever_ran() -> None:
    declared = Declaration(
        id=UUID(int=1),
        machine_id=UUID(int=2),
        owner_id=UUID(int=3),
        period=Period(START + QUARTER_HOUR, START + 2 * QUARTER_HOUR),
        kind=DeclaredKind.OWN_USE,
        note="",
        by="Maker",
        recorded_at=START,
    )
    shares = explain([row(n, spindle_on=10, unknown=1) for n in range(3)], [declared])
    sums = {kind: sum(share.deltas.get("spindle_on", 0) for share in shares if share.kind is kind) for kind in Kind}
    assert (sums[Kind.DECLARED], sums[Kind.OUTSIDE]) == (10, 20)
    assert next(share.name for share in shares if share.kind is Kind.DECLARED) == "own use"
