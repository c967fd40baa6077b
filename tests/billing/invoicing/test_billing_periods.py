"""Billing periods: no hole, no overlap, in every zone; anchors that return; parts that add up."""

import json
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from app.cli.json_file import packaged
from billing.invoicing.billing_period import month, month_before
from billing.invoicing.billing_periods import BillingPeriod, TooManyPeriods, billing_periods
from billing.invoicing.cycle import Cycle, Unit
from billing.invoicing.periods_json import FORMAT, plan_from_json, to_json
from billing.pricing.fields import InvalidInput
from billing.pricing.local_clock import day_of, days_touched, instant, midnight
from billing.pricing.proration import Proration, share
from metering.period import Period

ZONES = sorted(available_timezones() - {"localtime", "Factory", "posixrules"})
# Clocks set at midnight, past midnight, by half an hour, by 20 minutes, over the date line, twice a year in Ramadan.
ODD_ZONES = ["Africa/Cairo", "America/Havana", "America/St_Johns", "America/Sao_Paulo", "Asia/Beirut"]
ODD_YEARS = [2026, 2010, 2009, 2018, 2023, 2025, 2011, 1993, 2026, 2024]
ODD_ZONES += ["Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kwajalein", "Africa/El_Aaiun", "America/Scoresbysund"]
SECONDS_OF_2010S = st.integers(0, 3652 * 86_400)
START = datetime(2010, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def asked(**told: Any) -> list[BillingPeriod]:
    told["from"] = told.pop("start", "2026-01-01")
    told["to"] = told.pop("end", "2027-01-01")
    return billing_periods(plan_from_json({"format": FORMAT, **told}))


def starts(found: list[BillingPeriod], zone: str = "UTC") -> list[str]:
    return [f"{each.whole.start.astimezone(ZoneInfo(zone)):%Y-%m-%d}" for each in found]


@settings(max_examples=80)
@given(
    zone=st.sampled_from(ZONES) | st.sampled_from(ODD_ZONES),
    unit=st.sampled_from(list(Unit)),
    count=st.integers(1, 5),
    anchor=SECONDS_OF_2010S,
    begin=SECONDS_OF_2010S,
    length=st.integers(1, 400 * 86_400),
    billed=st.sampled_from(["in_advance", "in_arrears"]),
)
def test_periods_follow_each_other_without_hole_or_overlap(
    zone: str, unit: Unit, count: int, anchor: int, begin: int, length: int, billed: str
) -> None:
    start, end = START + timedelta(seconds=begin), START + timedelta(seconds=begin + length)
    found = asked(
        zone=zone,
        unit=unit.value,
        count=count,
        anchor=(START + timedelta(seconds=anchor)).isoformat(),
        start=start.isoformat(),
        end=end.isoformat(),
        proration="by_second",
        billed=billed,
    )
    assert (found[0].service.start, found[-1].service.end) == (start, end)
    for one, next_one in pairwise(found):
        assert one.service.end == next_one.service.start == one.whole.end == next_one.whole.start
        assert one.number < next_one.number
    for each in found:
        assert each.whole.covers(each.service)
        assert each.share.part == Fraction(each.service.length // timedelta(seconds=1)) / (
            each.whole.length // timedelta(seconds=1)
        )
        assert each.billed_at == (each.service.start if billed == "in_advance" else each.service.end)
    assert sum((each.service.length for each in found), timedelta()) == end - start


@settings(max_examples=60)
@given(
    zone=st.sampled_from(ZONES) | st.sampled_from(ODD_ZONES),
    rule=st.sampled_from([Proration.BY_DAY, Proration.BY_SECOND]),
    unit=st.sampled_from([Unit.WEEK, Unit.MONTH, Unit.QUARTER, Unit.YEAR]),
    at=SECONDS_OF_2010S,
    cuts=st.sets(st.integers(1, 364), max_size=6),
)
def test_the_parts_of_a_period_that_is_cut_add_up_to_one(
    zone: str, rule: Proration, unit: Unit, at: int, cuts: set[int]
) -> None:
    clock = ZoneInfo(zone)
    _, whole = next(
        Cycle.calendar(unit, 1, clock).periods(Period(START + timedelta(seconds=at), START + timedelta(seconds=at + 1)))
    )
    first = day_of(whole.start, clock)
    moments = {midnight(first + days * DAY, clock) for days in cuts}
    ends = sorted({each for each in moments if whole.start < each < whole.end} | {whole.start, whole.end})
    pieces = [Period(one, other) for one, other in pairwise(ends)]
    assert sum(share(rule, whole, piece, clock).part for piece in pieces) == 1


@pytest.mark.parametrize(
    ("zone", "year"),
    [
        *zip(ODD_ZONES, ODD_YEARS, strict=True),
        ("Europe/Berlin", 2026),
    ],
)
def test_every_day_of_an_odd_year_begins_once_and_is_touched_by_its_own_hours(zone: str, year: int) -> None:
    clock = ZoneInfo(zone)
    cycle = Cycle.calendar(Unit.DAY, 1, clock)
    day, before = date(year, 1, 1), midnight(date(year, 1, 1) - DAY, clock)
    while day <= date(year + 1, 1, 1):
        begins = midnight(day, clock)
        assert begins >= before
        if begins > before:  # else the zone has left the day before out
            assert day_of(before, clock) == day_of(begins - timedelta(seconds=1), clock) == day - DAY
            assert days_touched(before, begins, clock) == 1
            assert cycle.boundary(cycle.number_at(before)) == before
        day, before = day + DAY, begins


def test_a_wall_clock_time_that_is_jumped_over_is_the_moment_of_the_jump() -> None:
    berlin, toronto = ZoneInfo("Europe/Berlin"), ZoneInfo("America/Toronto")
    wall = datetime.fromisoformat
    assert instant(wall("2026-03-29T02:30:00"), berlin) == wall("2026-03-29T01:00:00+00:00")
    assert instant(wall("2026-10-25T02:30:00"), berlin) == wall("2026-10-25T00:30:00+00:00")
    # Toronto in 1919 began 31 March at half past midnight.
    assert midnight(date(1919, 3, 31), toronto).astimezone(toronto).isoformat() == "1919-03-31T00:30:00-04:00"


def test_samoa_has_no_30_december_2011() -> None:
    found = asked(zone="Pacific/Apia", unit="day", start="2011-12-28", end="2012-01-02")
    assert starts(found, "Pacific/Apia") == ["2011-12-28", "2011-12-29", "2011-12-31", "2012-01-01"]
    (part,) = asked(zone="Pacific/Apia", start="2011-12-01", end="2012-01-01", lease={"from": "2011-12-31"})
    assert part.share.part == Fraction(1, 30)


def test_month_ends_clamp_and_return() -> None:
    found = asked(anchor="2026-01-31", start="2026-01-31", end="2026-07-31", zone="Asia/Shanghai")
    assert starts(found, "Asia/Shanghai") == [
        "2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30",
    ]  # fmt: skip
    leap = asked(unit="year", anchor="anniversary", start="2024-02-29", end="2029-02-28")
    assert starts(leap) == ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"]


@pytest.mark.parametrize(
    ("unit", "count", "expected"),
    [
        ("week", 1, ["2025-12-29", "2026-01-05", "2026-01-12"]),
        ("month", 2, ["2026-01-01"]),
        ("quarter", 1, ["2026-01-01"]),
        ("half_year", 1, ["2026-01-01"]),
        ("year", 1, ["2026-01-01"]),
    ],
)
def test_the_calendar_begins_where_people_expect(unit: str, count: int, expected: list[str]) -> None:
    assert starts(asked(unit=unit, count=count, start="2026-01-02", end="2026-01-16")) == expected


def test_a_count_is_kept_on_both_sides_of_its_anchor() -> None:
    found = asked(unit="30_days", count=2, anchor="2026-06-01", start="2026-02-01", end="2026-08-01")
    assert starts(found) == ["2025-12-03", "2026-02-01", "2026-04-02", "2026-06-01", "2026-07-31"][1:]


@pytest.mark.parametrize(
    ("rule", "unit", "part"),
    [
        ("by_day", "month", "17/31"),
        ("by_second", "month", "391/744"),
        ("fixed_30_days", "month", "17/30"),
        ("fixed_30_days", "quarter", "17/90"),
        ("fixed_30_days", "week", "1"),
        ("none", "month", "1"),
    ],
)
def test_a_part_by_each_rule(rule: str, unit: str, part: str) -> None:
    # 17 days touched, the first from 17:00 on.
    lease = {"from": "2026-01-15T17:00:00", "to": "2026-02-01"}
    found = asked(unit=unit, proration=rule, start="2026-01-20", end="2026-01-21", lease=lease)
    assert [str(each.share.part) for each in found] == [part]


def test_a_stretch_asked_for_changes_neither_numbers_nor_parts() -> None:
    lease = {"from": "2025-03-10"}
    long, short = (
        {each.number: each for each in asked(start=start, end="2026-06-01", lease=lease)}
        for start in ("2025-01-01", "2026-04-15")
    )
    assert min(long) == 1
    assert short == {number: long[number] for number in (14, 15)}
    assert asked(start="2024-01-01", end="2025-01-01", lease=lease) == []


@settings(max_examples=40)
@given(st.sampled_from(ZONES), st.integers(1971, 2037), st.integers(1, 12))
def test_the_month_that_is_closed_is_the_calendar_period(zone: str, year: int, number: int) -> None:
    closed = month(year, number, zone)
    assert [each.whole for each in asked(zone=zone, start=f"{closed.start}", end=f"{closed.end}")] == [closed]
    assert month_before(closed.end, zone) == closed


def test_example_and_answer_fit_the_printed_schema() -> None:
    schema = json.loads(packaged("billing.invoicing", "schemas", "periods"))
    Draft202012Validator.check_schema(schema)
    example = json.loads(packaged("billing.invoicing", "examples", "periods"))
    assert list(Draft202012Validator(schema).iter_errors(example)) == []
    plan = plan_from_json(example)
    answer = json.loads(json.dumps(to_json(plan, billing_periods(plan))))
    of_answer = Draft202012Validator({**schema, **schema["$defs"]["answer"]})
    assert list(of_answer.iter_errors(answer)) == []
    assert [each["part_decimal"] for each in answer["periods"]] == ["0.642857143", *["1.000000000"] * 3, "0.500000000"]
    assert not Draft202012Validator(schema).is_valid({**example, "unit": "fortnight"})


def test_every_wrong_field_is_named_at_once() -> None:
    wrong = {"unit": "fortnight", "count": 999, "zone": "Mars/Olympus", "billed": "never", "until": "2026"}
    with pytest.raises(InvalidInput) as refused:
        asked(**wrong, start="soon", lease={"to": "then", "by": 1})
    named = {problem.path for problem in refused.value.problems}
    assert named == {".unit", ".count", ".zone", ".billed", ".until", ".from", ".lease.to", ".lease.by"}


@pytest.mark.parametrize(
    ("told", "path"),
    [
        ({"start": "2026-02-01", "end": "2026-02-01"}, ".to"),
        ({"lease": {"from": "2026-02-01", "to": "2026-01-01"}}, ".lease.to"),
        ({"unit": "30_days"}, ".anchor"),
        ({"unit": "month", "count": 5}, ".anchor"),
        ({"unit": "week", "count": 2}, ".anchor"),
        ({"start": "1969-12-31"}, ".from"),
        ({"end": "2200-01-01"}, ".to"),
        ({"anchor": "9999-12-31T23:59:59"}, ".anchor"),
    ],
)
def test_what_cannot_be_meant_is_refused_where_it_stands(told: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        asked(**told)
    assert [problem.path for problem in refused.value.problems] == [path]


def test_more_periods_than_anybody_reads_are_refused() -> None:
    assert len(asked(unit="day", start="1970-01-01", end="2020-01-01")) == 18_262
    with pytest.raises(TooManyPeriods):
        asked(unit="day", start="1970-01-01", end="2030-01-01")
