"""A meter's page in the document: its readings around the service period, and its hours per day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from billing.money import quantity
from metering.reading import Reading
from metering.register import billed_unit, describe, in_billed_unit

_DAY_MS = 86_400_000
# Why control and agent differ is for the meter's cross-check, not for a bill; it stays in the readings.
_NOT_PRINTED = "counter_beside."


@dataclass(frozen=True, slots=True)
class Day:
    """What a meter counted on one local day, in milliseconds."""

    day: date
    power_on: int
    spindle_on: int


@dataclass(frozen=True, slots=True)
class MeterPage:
    """A meter's readings around the service period: the first and last that the invoice rests on.

    `billed` is what the lease used of it, per register in its smallest unit: less than the difference of the readings
    where others used the machine in between. `days` are the lease's own, too. `since` and `until` are set where the
    meter came on the machine, or left it, as a replacement; `reason` says why it came.
    """

    meter: str
    model: str
    opening: Reading
    closing: Reading
    billed: Mapping[str, int]
    days: tuple[Day, ...]
    since: datetime | None = None
    until: datetime | None = None
    reason: str = ""


def meter_object(page: MeterPage, zone: ZoneInfo) -> dict[str, Any]:
    """The page as the template prints it; times by the clock of `zone`."""
    opening, closing = page.opening, page.closing
    longest = max([_DAY_MS, *(day.power_on for day in page.days)])
    return {
        "meter": page.meter,
        "model": page.model,
        "opening": {"sequence": str(opening.sequence), "time": _moment(opening.device_time, zone)},
        "closing": {"sequence": str(closing.sequence), "time": _moment(closing.device_time, zone)},
        "registers": [
            _register(code, opening.registers.get(code, 0), closing.registers[code], page.billed.get(code, 0))
            for code in sorted(closing.registers)
            if closing.registers[code] and not code.startswith(_NOT_PRINTED)
        ],
        "shared": any(
            closing.registers[code] - opening.registers.get(code, 0) != page.billed.get(code, 0)
            for code in closing.registers
        ),
        "since": _maybe_moment(page.since, zone),
        "until": _maybe_moment(page.until, zone),
        "reason": page.reason,
        "longest": f"{quantity(in_billed_unit('power_on', longest), 1).normalize():f}",
        "days": [
            {
                "day": str(day.day.day),
                "weekend": day.day.weekday() >= 5,
                "power_on": _share(day.power_on, longest),
                "spindle_on": _share(day.spindle_on, longest),
            }
            for day in page.days
        ],
        "spindle_hours": f"{quantity(in_billed_unit('spindle_on', sum(day.spindle_on for day in page.days)), 1):,f}",
        "power_hours": f"{quantity(in_billed_unit('power_on', sum(day.power_on for day in page.days)), 1):,f}",
    }


def _register(code: str, opening: int, closing: int, billed: int) -> dict[str, str]:
    return {
        "code": code,
        "definition": describe(code).definition,
        "opening": _reading_value(code, opening),
        "closing": _reading_value(code, closing),
        "billed": _reading_value(code, billed),
        "unit": "" if billed_unit(code) == "1" else billed_unit(code),
    }


def _reading_value(code: str, value: int) -> str:
    places = 0 if billed_unit(code) in ("1", "rev") else 4
    return f"{quantity(in_billed_unit(code, value), places):,f}"


def _share(value: int, longest: int) -> str:
    """A bar's height as a share of the longest day, in text so that no float is near a register."""
    return f"{Decimal(value) / Decimal(longest):.4f}"


def _moment(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _maybe_moment(moment: datetime | None, zone: ZoneInfo) -> str:
    return _moment(moment, zone) if moment else ""
