"""Small charts drawn on the server as SVG rectangles."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from billing.money import round_half_up
from metering.register import in_billed_unit

_WIDTH = 960
_BASE = 124
_HEIGHT = 108


@dataclass(frozen=True, slots=True)
class Day:
    """Spindle time of one local day, in ms, and the part of it that lies outside any booking."""

    day: date
    spindle_ms: int
    outside_ms: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One day's rectangle in viewBox units."""

    x: int
    y: int
    width: int
    height: int
    outside_y: int
    outside_height: int
    title: str
    label: str


@dataclass(frozen=True, slots=True)
class DayChart:
    """A bar a day, and what they show in words."""

    width: int
    bars: tuple[Bar, ...]
    label: str
    has_outside: bool


def day_chart(days: Sequence[Day]) -> DayChart | None:
    """A bar per day of hours with the spindle turning; None when nothing turned."""
    highest = max((day.spindle_ms for day in days), default=0)
    if not highest:
        return None
    slot = _WIDTH // max(len(days), 1)
    bars = tuple(_bar(day, index, slot, highest) for index, day in enumerate(days))
    top = f"{_hours(highest)} h"
    label = f"{days[0].day} to {days[-1].day}, at most {top} a day"
    return DayChart(_WIDTH, bars, label, any(day.outside_ms for day in days))


def _bar(day: Day, index: int, slot: int, highest: int) -> Bar:
    height = day.spindle_ms * _HEIGHT // highest
    outside = day.outside_ms * _HEIGHT // highest
    title = f"{day.day}: {_hours(day.spindle_ms)} h"
    if day.outside_ms:
        title += f", {_hours(day.outside_ms)} h outside any booking"
    return Bar(
        x=index * slot,
        y=_BASE - height,
        width=max(slot - 4, 2),
        height=height,
        outside_y=_BASE - outside,
        outside_height=outside,
        title=title,
        label=f"{day.day:%d}" if index % 3 == 0 else "",
    )


def _hours(milliseconds: int) -> str:
    return f"{round_half_up(in_billed_unit('spindle_on', milliseconds), 2):f}"
