"""Periods as people write them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.invoicing.billing_period import UnreadablePeriod, billing_period, month, month_before


def test_a_month_is_the_zones_own() -> None:
    may = billing_period("2026-05", "Asia/Shanghai")
    assert may.start == datetime(2026, 4, 30, 16, tzinfo=UTC)
    assert may.length == timedelta(days=31)


def test_a_month_with_a_clock_change_is_an_hour_off() -> None:
    assert billing_period("2026-03", "Europe/Berlin").length == timedelta(days=31, hours=-1)
    assert billing_period("2026-10", "Europe/Berlin").length == timedelta(days=31, hours=1)


def test_two_days_are_half_open() -> None:
    assert billing_period("2026-05-01/2026-05-16", "UTC").length == timedelta(days=15)
    assert billing_period("2026-05-01T06:00+08:00/2026-05-01T07:00+08:00", "UTC").length == timedelta(hours=1)


@pytest.mark.parametrize("text", ["May", "2026-13", "2026-05-16/2026-05-01", "2026-05-01", "2026-05-01/", ""])
def test_anything_else_says_how_to_write_it(text: str) -> None:
    with pytest.raises(UnreadablePeriod, match=r"month|\d"):
        billing_period(text, "UTC")


@given(st.sampled_from(sorted(available_timezones())), st.integers(2000, 2037), st.integers(1, 12))
def test_months_follow_one_another_in_every_zone(zone: str, year: int, number: int) -> None:
    one = month(year, number, zone)
    following = month(year + number // 12, number % 12 + 1, zone)
    assert one.end == following.start
    assert month_before(one.end, zone) == one
    assert month_before(following.end - timedelta(microseconds=1), zone) == one
