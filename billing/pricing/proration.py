"""The share of a period's fixed amount that a lease owes when it covers only a part of the period."""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from zoneinfo import ZoneInfo

from billing.pricing.local_clock import days_touched
from metering.period import Period, milliseconds

MONTH_DAYS = 30


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


def share(
    rule: Proration, period: Period, covered: Period | None, zone: ZoneInfo, *, fixed_days: int = MONTH_DAYS
) -> Share:
    """What part of `period` the lease owes for covering `covered`.

    by_day counts local calendar days that the lease touches; by_second is exact; fixed_30_days counts touched days
    out of `fixed_days` (30 a month), never more than the whole; none owes the whole. A fully covered period is always
    the whole.
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
    days = days_touched(inside.start, inside.end, zone)
    if rule is Proration.BY_DAY:
        return _ratio(days, days_touched(period.start, period.end, zone), "local days")
    return _ratio(min(days, fixed_days), fixed_days, "days, a month counted as 30")


def _ratio(part: int, whole: int, unit: str) -> Share:
    if unit == "ms" and part % 1000 == whole % 1000 == 0:
        part, whole, unit = part // 1000, whole // 1000, "seconds"
    return Share(Fraction(part, whole), f"{part} of {whole} {unit}")
