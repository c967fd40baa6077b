"""A month of quarter hours by a seed: a machine that works two shifts, five days a week, with breaks."""

from collections.abc import Iterator
from datetime import datetime
from random import Random
from zoneinfo import ZoneInfo

from metering.layout import Layout
from metering.period import QUARTER_HOUR, Period
from metering.spectrum import Cell
from metering.usage import Usage

ZONE = "Asia/Shanghai"
_LOCAL = ZoneInfo(ZONE)
MONTH = Period(datetime(2026, 5, 1, tzinfo=_LOCAL), datetime(2026, 6, 1, tzinfo=_LOCAL))
TIMES = ("power_on", "auto_run", "program_run", "spindle_on", "cutting.S1", "occupied_idle")
OTHERS = ("energy", "parts", "travel.X", "travel.Y", "travel.Z", "revolutions.S1")
CELLS = tuple(Cell(speed, load).key for speed in (500, 1500, 3000, 6000) for load in (10, 30, 60))
LAYOUT = Layout(TIMES + OTHERS, ("S1",))
_QUARTER_MS = 900_000
_SHIFTS = range(6, 22)
_WEEKEND = 5
_READINGS = 31


def month(seed: int, meter: str, period: Period = MONTH) -> Iterator[Usage]:
    """Every quarter hour of `period` as usage of `meter`; the same for the same seed."""
    drawn = Random(seed)
    for number, part in enumerate(period.quarter_hours()):
        local = part.start.astimezone(_LOCAL)
        works = local.weekday() < _WEEKEND and local.hour in _SHIFTS and drawn.random() < 0.9
        yield _quarter(drawn, part, meter, number, works=works)


def _quarter(drawn: Random, part: Period, meter: str, number: int, *, works: bool) -> Usage:
    evidence = (number * (_READINGS - 1) + 1, (number + 1) * (_READINGS - 1) + 1)
    if not works:
        still = dict.fromkeys(LAYOUT.codes, 0) | {"power_on": _QUARTER_MS, "energy": drawn.randrange(50_000, 90_000)}
        return Usage(meter, part, still, {}, evidence=evidence)
    turning = drawn.randrange(300_000, _QUARTER_MS)
    cells = drawn.sample(CELLS, 6)
    shares = [turning // 6] * 6
    grown = {code: drawn.randrange(turning, _QUARTER_MS + 1) for code in TIMES}
    grown |= {code: drawn.randrange(1, 3_000_000) for code in OTHERS}
    spectrum = {("S1", cell): ms for cell, ms in zip(cells, shares, strict=True)}
    return Usage(meter, part, grown | {"spindle_on": turning}, spectrum, evidence=evidence)


def length() -> int:
    """Quarter hours of the month."""
    return MONTH.length // QUARTER_HOUR
