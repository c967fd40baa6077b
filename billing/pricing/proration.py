"""The share of a period's fixed amount that a lease owes when it covers only a part of the period."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from zoneinfo import ZoneInfo

from metering.period import Period, milliseconds


class Proration(StrEnum):
    """How a fixed amount is shared; the tariff states it and the bill's working repeats it."""

    NONE = "none"
    BY_DAY = "by_day"
    BY_SECOND = "by_second"
    FIXED_30_DAYS = "fixed_30_days"


@dataclass(frozen=True, slots=True)
class Share:
    """The exact part of the whole that is owed, and how it came about."""

    part: Fraction
    working: str


def share(rule: Proration, period: Period, covered: Period | None, zone: ZoneInfo) -> Share:
    """What part of `period` the lease owes for covering `covered`.

    by_day counts local calendar days that the lease touches; by_second is exact; fixed_30_days counts touched days
    out of 30, never more than the whole; none owes the whole. A fully covered period is always the whole.
    """
    inside = period.intersection(covered) if covered else None
    if inside is None:
        return Share(Fraction(0), "the lease did not run in the period")
    if rule is Proration.NONE:
        return Share(Fraction(1), "whole period, not prorated")
    if inside == period:
        return Share(Fraction(1), f"whole period ({rule})")
    if rule is Proration.BY_SECOND:
        return _ratio(milliseconds(inside.length), milliseconds(period.length), "ms")
    days = _days(inside, zone)
    whole = _days(period, zone) if rule is Proration.BY_DAY else 30
    return _ratio(min(days, whole), whole, "local days" if rule is Proration.BY_DAY else "days, a month counted as 30")


def _ratio(part: int, whole: int, unit: str) -> Share:
    if unit == "ms" and part % 1000 == whole % 1000 == 0:
        part, whole, unit = part // 1000, whole // 1000, "seconds"
    return Share(Fraction(part, whole), f"{part} of {whole} {unit}")


def _days(period: Period, zone: ZoneInfo) -> int:
    first, last = _local_day(period.start, zone), _local_day(period.end - timedelta(microseconds=1), zone)
    return (last - first).days + 1


def _local_day(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()
