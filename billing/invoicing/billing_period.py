"""Billing periods as people write them: a month, or two days, by the clock of a zone."""

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

from billing.invoicing.cycle import Cycle, Unit
from billing.pricing.local_clock import midnight, moment_in
from metering.period import Period

_MONTH = re.compile(r"(\d{4})-(\d{2})\Z")


class UnreadablePeriod(ValueError):
    """A period is a month such as 2026-05, or two days such as 2026-05-01/2026-05-16 (the second not included)."""


def billing_period(text: str, zone: str) -> Period:
    """The period that `text` says, from midnight to midnight in `zone` (IANA); moments with an offset keep it."""
    try:
        if found := _MONTH.match(text):
            return month(int(found[1]), int(found[2]), zone)
        start, slash, end = text.partition("/")
        if slash:
            clock = ZoneInfo(zone)
            return Period(moment_in(start, clock), moment_in(end, clock))
    except ValueError as error:
        raise UnreadablePeriod(f"{text!r}: {error}") from error
    raise UnreadablePeriod(f"{text!r}: write a month such as 2026-05, or 2026-05-01/2026-05-16")


def month(year: int, number: int, zone: str) -> Period:
    """The calendar month of `zone`, as long as its clock changes make it."""
    cycle = _months(zone)
    index = cycle.number_at(midnight(date(year, number, 1), cycle.zone))
    return Period(cycle.boundary(index), cycle.boundary(index + 1))


def month_before(moment: datetime, zone: str) -> Period:
    """The last calendar month of `zone` that is over at `moment`."""
    cycle = _months(zone)
    index = cycle.number_at(moment)
    return Period(cycle.boundary(index - 1), cycle.boundary(index))


def _months(zone: str) -> Cycle:
    return Cycle.calendar(Unit.MONTH, 1, ZoneInfo(zone))
