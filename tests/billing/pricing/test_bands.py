"""Bands by the wall clock: every moment in exactly one, whatever the clock does."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.pricing.bands import Band, BandClock, Window
from billing.pricing.fields import InvalidInput
from billing.pricing.proration import Proration, share
from metering.period import Period

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Band("night", (Window(22 * 60, 6 * 60),))
REST = Band("day")


def hours(clock: BandClock, period: Period) -> dict[str, float]:
    found: dict[str, float] = {}
    for code, part in clock.split(period):
        found[code] = found.get(code, 0) + part.length / timedelta(hours=1)
    return found


def local_day(year: int, month: int, day: int, zone: ZoneInfo) -> Period:
    start = datetime(year, month, day, tzinfo=zone)
    return Period(start, datetime.combine(start.date() + timedelta(days=1), start.time(), tzinfo=zone))


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ((2026, 6, 15), {"night": 8, "day": 16}),
        ((2026, 3, 29), {"night": 7, "day": 16}),
        ((2026, 10, 25), {"night": 9, "day": 16}),
    ],
)
def test_an_hour_skipped_or_doubled_stays_in_its_band(day: tuple[int, int, int], expected: dict[str, float]) -> None:
    assert hours(BandClock([NIGHT, REST], BERLIN), local_day(*day, BERLIN)) == expected


def test_a_window_inside_the_doubled_hour_counts_twice() -> None:
    twice = Band("twice", (Window(2 * 60 + 15, 2 * 60 + 45),))
    autumn = hours(BandClock([twice, REST], BERLIN), local_day(2025, 10, 26, BERLIN))
    spring = hours(BandClock([twice, REST], BERLIN), local_day(2026, 3, 29, BERLIN))
    assert autumn == {"twice": 1, "day": 24}
    assert spring == {"day": 23}


def test_a_wrapping_window_belongs_to_the_day_on_which_it_begins() -> None:
    friday = Band("friday", (Window(22 * 60, 6 * 60, frozenset({4})),))
    clock = BandClock([friday, REST], BERLIN)
    assert clock.band_at(datetime(2026, 6, 13, 5, 59, tzinfo=BERLIN)) == "friday"
    assert clock.band_at(datetime(2026, 6, 13, 23, tzinfo=BERLIN)) == "day"
    assert clock.band_at(datetime(2026, 6, 12, 5, tzinfo=BERLIN)) == "day"


def test_dates_are_half_open() -> None:
    summer = Band("summer", (Window(0, 24 * 60, first=date(2026, 6, 1), until=date(2026, 9, 1)),))
    clock = BandClock([summer, REST], BERLIN)
    shown = [clock.band_at(datetime(2026, m, d, 12, tzinfo=BERLIN)) for m, d in ((5, 31), (6, 1), (8, 31), (9, 1))]
    assert shown == ["day", "summer", "summer", "day"]


ZONES = [
    "Europe/Berlin",
    "Asia/Shanghai",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/Havana",
    "Africa/Cairo",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "UTC",
]
minutes = st.integers(0, 24 * 60 - 1)


@given(
    st.sampled_from(ZONES),
    st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 (made UTC below)
    st.integers(1, 3000),
    st.lists(st.tuples(minutes, minutes, st.frozensets(st.integers(0, 6))), min_size=1, max_size=4),
)
def test_splitting_covers_the_period_and_agrees_with_the_clock(
    zone: str, start: datetime, length: int, windows: list[tuple[int, int, frozenset[int]]]
) -> None:
    bands = [
        Band(f"b{number}", (Window(one, other, days),))
        for number, (one, other, days) in enumerate(windows)
        if one != other
    ]
    clock = BandClock([*bands, REST], ZoneInfo(zone))
    begin = start.replace(tzinfo=UTC, second=0, microsecond=0)
    period = Period(begin, begin + timedelta(minutes=length))
    parts = clock.split(period)
    assert parts[0][1].start == period.start
    assert parts[-1][1].end == period.end
    for (_, one), (_, other) in pairwise(parts):
        assert one.end == other.start
    for code, part in parts:
        for moment in (part.start, part.start + part.length / 2, part.end - timedelta(seconds=1)):
            assert clock.band_at(moment) == code


def test_a_window_of_no_length_is_refused() -> None:
    with pytest.raises(InvalidInput, match="must differ"):
        Window(60, 60)


@given(st.integers(1, 30), st.integers(1, 27), st.sampled_from(list(Proration)))
def test_shares_of_a_month(days: int, hour: int, rule: Proration) -> None:
    month = Period(datetime(2026, 10, 1, tzinfo=BERLIN), datetime(2026, 11, 1, tzinfo=BERLIN))
    border = datetime(2026, 10, 1, tzinfo=BERLIN) + timedelta(days=days, hours=hour % 24)
    first, second = Period(month.start, border), Period(border, month.end)
    parts = share(rule, month, first, BERLIN).part + share(rule, month, second, BERLIN).part
    assert share(rule, month, month, BERLIN).part == 1
    if rule is Proration.BY_SECOND:
        assert parts == 1
    elif rule is Proration.NONE:
        assert parts == 2
    else:
        assert parts >= 1
    assert share(rule, month, None, BERLIN).part == 0
