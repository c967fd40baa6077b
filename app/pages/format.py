"""How figures look on pages: tabular, with their unit, in the machine's own time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from billing.money import Money, round_half_up
from metering.register import Unit, describe, in_billed_unit

NOTHING = "–"
_PLACES = {Unit.MILLISECOND: 4, Unit.MICROMETRE: 6, Unit.MILLIWATT_HOUR: 3, Unit.MILLIREVOLUTION: 1, Unit.PIECE: 0}


@dataclass(frozen=True, slots=True)
class State:
    """A state as word, colour and shape: kind is good, warn, bad or empty."""

    word: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """One labelled number; `field` names it for live updates."""

    label: str
    value: str
    unit: str = ""
    field: str = ""


def amount(money: Money) -> str:
    """An amount without its currency, for columns that name it in their head."""
    return f"{money.decimal:,f}"


def billed(code: str, value: int, places: int = 2) -> str:
    """A register's value in hours, km, kWh or pieces."""
    return f"{round_half_up(in_billed_unit(code, value), places):,f}"


def finely(code: str, value: int) -> str:
    """As `billed`, with as many places as tell a second or a millimetre."""
    return billed(code, value, _PLACES[describe(code).unit])


def sum_of(deltas: Mapping[str, int], name: str) -> int:
    """The sum of all parts of a register, as `travel` over every axis."""
    return sum(value for code, value in deltas.items() if code.partition(".")[0] == name)


def moment(time: datetime | None, zone: str) -> str:
    """A time to the second in `zone`, with the zone's own abbreviation."""
    if time is None:
        return NOTHING
    local = time.astimezone(ZoneInfo(zone))
    return f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()}"


def minute(time: datetime, zone: str) -> str:
    """A time to the minute in `zone`."""
    return f"{time.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def percent(share: Fraction | None) -> str:
    """A share as a percentage to three places; a question mark where it cannot be said."""
    return "?" if share is None else f"{round_half_up(share * 100, 3):,f} %"


def grouped(amount: Fraction) -> str:
    """An amount of use with as many places as its size deserves."""
    if not amount:
        return "0"
    places = next(places for least, places in ((1000, 0), (100, 1), (1, 2), (0, 4)) if amount >= least)
    return f"{round_half_up(amount, places):,f}"


def number(value: Decimal | None) -> str:
    """A quantity or price as it was rated, digits grouped."""
    return NOTHING if value is None else f"{value:,f}"


def sentence(reason: str) -> str:
    """A reason as a sentence of its own."""
    return f"{reason[:1].upper()}{reason[1:].rstrip('.')}."
