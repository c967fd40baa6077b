"""The boundaries between billing periods: an anchor on the wall clock of a zone, and a step from there, both ways."""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from billing.pricing.local_clock import instant
from billing.pricing.proration import MONTH_DAYS
from metering.period import Period

LARGEST_COUNT = 366


class Unit(StrEnum):
    """What a billing period is counted in."""

    DAY = "day"
    WEEK = "week"
    THIRTY_DAYS = "30_days"
    MONTH = "month"
    QUARTER = "quarter"
    HALF_YEAR = "half_year"
    YEAR = "year"


_DAYS = {Unit.DAY: 1, Unit.WEEK: 7, Unit.THIRTY_DAYS: 30}
_MONTHS = {Unit.MONTH: 1, Unit.QUARTER: 3, Unit.HALF_YEAR: 6, Unit.YEAR: 12}
# Years, quarters, months and days begin with it; a week begins on Monday (ISO 8601).
_NEW_YEAR, _MONDAY = datetime(2000, 1, 1), datetime(2000, 1, 3)  # noqa: DTZ001 - a wall clock, no moment


class InvalidCycle(ValueError):
    """A cycle is a count from 1 to 366 of a unit."""


class NoCalendar(ValueError):
    """Such periods fill no calendar year: anchor them on a day."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """Every `count` `unit`s from `anchor`, a wall clock time of `zone`; boundary 0 is the anchor, others lie both ways.

    Month steps count from the anchor itself: the 31st becomes a shorter month's last day and is the 31st again in the
    next long one; 29 February is the 28th in common years.
    """

    unit: Unit
    count: int
    anchor: datetime
    zone: ZoneInfo

    def __post_init__(self) -> None:
        if not 1 <= self.count <= LARGEST_COUNT:
            raise InvalidCycle(f"{self.count} {self.unit}: count from 1 to {LARGEST_COUNT}")

    @classmethod
    def calendar(cls, unit: Unit, count: int, zone: ZoneInfo) -> "Cycle":
        """Periods as the calendar has them: days, weeks from Monday, and what fills a year evenly from 1 January.

        Raises NoCalendar for 30 days, several days or weeks, and counts of months that do not fill a year.
        """
        months = _MONTHS.get(unit, 0) * count
        if (months and 12 % months) or (not months and (count > 1 or unit is Unit.THIRTY_DAYS)):
            raise NoCalendar(f"no calendar has periods of {count} x {unit}: anchor them on a day")
        return cls(unit, count, _MONDAY if unit is Unit.WEEK else _NEW_YEAR, zone)

    @property
    def fixed_days(self) -> int:
        """The days of a period where a month is counted as 30."""
        return self.count * _DAYS.get(self.unit, MONTH_DAYS * _MONTHS.get(self.unit, 0))

    def boundary(self, number: int) -> datetime:
        """The moment (UTC) of boundary `number`."""
        step = number * self.count
        if self.unit in _DAYS:
            return instant(self.anchor + timedelta(days=step * _DAYS[self.unit]), self.zone)
        return instant(_months_later(self.anchor, step * _MONTHS[self.unit]), self.zone)

    def number_at(self, moment: datetime) -> int:
        """The last boundary that is not after `moment`: the number of the period that it lies in."""
        number = self._near(moment)
        while self.boundary(number) > moment:
            number -= 1
        while self.boundary(number + 1) <= moment:
            number += 1
        return number

    def periods(self, stretch: Period) -> Iterator[tuple[int, Period]]:
        """The whole periods that `stretch` touches, with the numbers of their starts, without hole or overlap.

        A day that a zone has left out (Samoa, 30 December 2011) is none; its number is left out too.
        """
        number = self.number_at(stretch.start)
        start = self.boundary(number)
        while start < stretch.end:
            end = self.boundary(number + 1)
            if end > start:
                yield number, Period(start, end)
            number, start = number + 1, end

    def _near(self, moment: datetime) -> int:
        wall = moment.astimezone(self.zone).replace(tzinfo=None)
        if self.unit in _DAYS:
            return (wall.date() - self.anchor.date()).days // (_DAYS[self.unit] * self.count)
        months = (wall.year - self.anchor.year) * 12 + wall.month - self.anchor.month
        return months // (_MONTHS[self.unit] * self.count)


def _months_later(wall: datetime, months: int) -> datetime:
    year, month = divmod(wall.year * 12 + wall.month - 1 + months, 12)
    return wall.replace(year=year, month=month + 1, day=min(wall.day, monthrange(year, month + 1)[1]))
