"""Half-open UTC periods and quarter hours: the only notion of a stretch of time in the project."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

QUARTER_HOUR = timedelta(minutes=15)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class PeriodError(ValueError):
    """A period needs two times with a zone, and its end must lie after its start."""


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """[start, end): times with a zone, kept in UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            value: datetime = getattr(self, name)
            if value.tzinfo is None:
                raise PeriodError(f"the {name} {value.isoformat()} has no zone: add an offset such as Z or +08:00")
            if value.tzinfo is not UTC:
                object.__setattr__(self, name, value.astimezone(UTC))
        if self.end <= self.start:
            raise PeriodError(f"the end {self.end.isoformat()} is not after the start {self.start.isoformat()}")

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def covers(self, other: "Period") -> bool:
        return self.start <= other.start and other.end <= self.end

    def overlaps(self, other: "Period") -> bool:
        return self.start < other.end and other.start < self.end

    def intersection(self, other: "Period") -> "Period | None":
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Period(start, end) if start < end else None

    def quarter_hours(self) -> Iterator["Period"]:
        """The quarter hours (UTC) that the period touches, the outer ones cut to it."""
        start = self.start
        while start < self.end:
            end = min(quarter_start(start) + QUARTER_HOUR, self.end)
            yield Period(start, end)
            start = end


def quarter_start(moment: datetime) -> datetime:
    """The start of the UTC quarter hour that `moment` lies in."""
    return _EPOCH + (moment - _EPOCH) // QUARTER_HOUR * QUARTER_HOUR


def milliseconds(length: timedelta) -> int:
    """`length` in whole milliseconds; a rest below one is dropped."""
    return length // timedelta(milliseconds=1)
