"""Time bands by the local clock of the machine's zone: peak, flat, valley and the like.

The band of a moment is a function of what a clock on the machine's wall shows: an hour that happens twice in autumn
is in the same band both times, an hour that is skipped in spring belongs to none.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from billing.pricing.fields import Fields, InvalidInput, Problem, refuse_unless
from metering.period import Period

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WHOLE_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Window:
    """A daily stretch of the local clock, [start, end) in minutes after midnight; end <= start wraps midnight.

    `days` (0 = Monday; empty = every day) and [first, until) name the day on which the stretch begins.
    """

    start: int
    end: int
    days: frozenset[int] = frozenset()
    first: date | None = None
    until: date | None = None

    def __post_init__(self) -> None:
        refuse_unless(
            (0 <= self.start < _WHOLE_DAY, ".from", "write a time from 00:00 to 23:59"),
            (0 <= self.end <= _WHOLE_DAY, ".to", "write a time from 00:00 to 24:00"),
            (self.start != self.end, ".to", "must differ from `from`; a whole day is 00:00 to 24:00"),
            (
                self.first is None or self.until is None or self.first < self.until,
                ".dates.until",
                "must lie after `from`; it is the first day that no longer counts",
            ),
        )

    def shows(self, local: datetime) -> bool:
        """Whether the window is open when the wall clock shows `local`."""
        minute, day = local.hour * 60 + local.minute, local.date()
        if self.start < self.end:
            return self.start <= minute < self.end and self._begins_on(day)
        if minute >= self.start:
            return self._begins_on(day)
        return minute < self.end and self._begins_on(day - timedelta(days=1))

    def _begins_on(self, day: date) -> bool:
        if self.days and day.weekday() not in self.days:
            return False
        return (self.first is None or self.first <= day) and (self.until is None or day < self.until)

    @classmethod
    def from_json(cls, value: object) -> "Window":
        fields = Fields(value, 'a window such as {"from": "08:00", "to": "11:00"}')
        start, end = _minutes(fields, "from"), _minutes(fields, "to")
        days = fields.many("days", _weekday)
        dates = fields.maybe("dates", _dates) or (None, None)
        fields.done()
        return cls(start, end, frozenset(days), *dates)

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"from": _clock(self.start), "to": _clock(self.end)}
        if self.days:
            found["days"] = [_DAYS[day] for day in sorted(self.days)]
        if self.first or self.until:
            ends = {"from": self.first, "until": self.until}
            found["dates"] = {name: day.isoformat() for name, day in ends.items() if day}
        return found


@dataclass(frozen=True, slots=True)
class Band:
    """A named set of windows. Without windows it is the rest of the time, so it comes last."""

    code: str
    windows: tuple[Window, ...] = ()

    def shows(self, local: datetime) -> bool:
        return not self.windows or any(window.shows(local) for window in self.windows)

    @classmethod
    def from_json(cls, value: object) -> "Band":
        fields = Fields(value, "a band with a code and its windows")
        code, windows = fields.code("code"), fields.many("windows", Window.from_json)
        fields.done()
        return cls(code, windows)

    def to_json(self) -> dict[str, Any]:
        windows = [window.to_json() for window in self.windows]
        return {"code": self.code, "windows": windows} if windows else {"code": self.code}


def check_bands(bands: Sequence[Band]) -> list[Problem]:
    """Every moment must lie in exactly one band: the first that fits, and the last takes the rest."""
    if not bands:
        return []
    found = [
        Problem(f".bands[{i}].windows", "only the last band may be without windows")
        for i, band in enumerate(bands[:-1])
        if not band.windows
    ]
    if bands[-1].windows:
        found.append(
            Problem(f".bands[{len(bands) - 1}].windows", "leave the last band without windows: it is the rest")
        )
    return found


class BandClock:
    """Cuts periods at the borders of bands in one zone."""

    def __init__(self, bands: Sequence[Band], zone: ZoneInfo) -> None:
        self._bands, self._zone = tuple(bands), zone
        clock = {
            (minute // 60 % 24, minute % 60) for band in bands for w in band.windows for minute in (w.start, w.end)
        }
        self._borders = [time(hour, minute) for hour, minute in sorted(clock)]
        self._days: dict[date, tuple[list[datetime], list[str]]] = {}

    def band_at(self, moment: datetime) -> str:
        """The first band whose window is open at `moment`; an empty name when the tariff has no bands."""
        local = moment.astimezone(self._zone)
        return next((band.code for band in self._bands if band.shows(local)), "")

    def only(self, period: Period) -> str | None:
        """The one band that all of `period` lies in; None where there may be several."""
        if not self._bands:
            return ""
        starts, codes = self._day(period.start.astimezone(self._zone).date())
        index = bisect_right(starts, period.start) - 1
        return codes[index] if period.end <= starts[index + 1] else None

    def split(self, period: Period) -> list[tuple[str, Period]]:
        """`period` in stretches of one band each, in order."""
        if not self._bands:
            return [("", period)]
        parts, start = [], period.start
        while start < period.end:
            starts, codes = self._day(start.astimezone(self._zone).date())
            index = bisect_right(starts, start) - 1
            end = min(starts[index + 1], period.end)
            parts.append((codes[index], Period(start, end)))
            start = end
        return parts

    def _day(self, day: date) -> tuple[list[datetime], list[str]]:
        """The starts (UTC) of the local day's stretches with their bands, and the day's end as the last start."""
        if day not in self._days:
            begin, end = self._midnight(day), self._midnight(day + timedelta(days=1))
            starts = sorted({begin, *(moment for moment in self._candidates(day, begin, end) if begin < moment < end)})
            self._days[day] = [*starts, end], [self.band_at(moment) for moment in starts]
        return self._days[day]

    def _candidates(self, day: date, begin: datetime, end: datetime) -> list[datetime]:
        found = [
            datetime.combine(day, border, tzinfo=self._zone).replace(fold=fold).astimezone(UTC)
            for border in self._borders
            for fold in (0, 1)
        ]
        if self._offset(begin) != self._offset(end):
            found.append(self._transition(begin, end))
        return found

    def _transition(self, begin: datetime, end: datetime) -> datetime:
        """The first whole second of the day at which the zone's offset has changed."""
        before, low, high = self._offset(begin), 0, int((end - begin).total_seconds())
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._offset(begin + timedelta(seconds=middle)) == before else (low, middle)
        return begin + timedelta(seconds=high)

    def _offset(self, moment: datetime) -> timedelta | None:
        return moment.astimezone(self._zone).utcoffset()

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(0), tzinfo=self._zone).astimezone(UTC)


def _minutes(fields: Fields, name: str) -> int:
    text = fields.text(name)
    hours, colon, minutes = text.partition(":")
    if not text:
        return 0
    if not (colon and len(hours) == len(minutes) == 2 and (hours + minutes).isdecimal() and int(minutes) < 60):
        fields.wrong(name, 'write a local time such as "08:00"')
        return 0
    return int(hours) * 60 + int(minutes)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _weekday(value: object) -> int:
    if value not in _DAYS:
        raise InvalidInput([Problem("", f"write a weekday: {', '.join(_DAYS)}")])
    return _DAYS.index(str(value))


def _dates(value: object) -> tuple[date | None, date | None]:
    fields = Fields(value, 'dates such as {"from": "2026-06-01", "until": "2026-09-01"}')
    first, until = fields.day("from"), fields.day("until")
    fields.done()
    return first, until
