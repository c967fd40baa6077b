"""Registers: cumulative quantities in exact integers of their smallest unit, each with its definition.

A code is a name, or a name and a part (`spindle_on.S1`, `travel.X`). "Spindle hours" has several meanings, so a
contract names the code that it bills by.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction


class Unit(StrEnum):
    """The smallest unit that a register counts in."""

    MILLISECOND = "ms"
    MICROMETRE = "um"
    MILLIREVOLUTION = "mrev"
    MILLIWATT_HOUR = "mWh"
    PIECE = "1"


@dataclass(frozen=True, slots=True)
class Register:
    """What one register counts."""

    name: str
    unit: Unit
    definition: str


_CATALOGUE = {
    register.name: register
    for register in (
        Register("power_on", Unit.MILLISECOND, "the control reports itself switched on"),
        Register("auto_run", Unit.MILLISECOND, "a program is being executed in automatic mode"),
        Register("program_run", Unit.MILLISECOND, "a program is being executed in any mode"),
        Register(
            "cutting",
            Unit.MILLISECOND,
            "a program is executed with a spindle turning and path feed above zero, at most the machine's cutting feed",
        ),
        Register("spindle_on", Unit.MILLISECOND, "spindle turning; without a part: at least one spindle turning"),
        Register("unknown", Unit.MILLISECOND, "the source was not proven alive: nothing else counts"),
        Register("revolutions", Unit.MILLIREVOLUTION, "spindle speed integrated over time"),
        Register("travel", Unit.MICROMETRE, "sum of absolute changes of an axis' position"),
        Register("energy", Unit.MILLIWATT_HOUR, "active energy imported, from a meter's counter"),
        Register("parts", Unit.PIECE, "increase of the control's part counter"),
        Register("starts", Unit.PIECE, "times that a spindle began to turn"),
        Register("counter", Unit.MILLISECOND, "increase of a controller's own time counter: power_on, auto, cut"),
        Register(
            "counter_beside",
            Unit.MILLISECOND,
            "increase of such a counter beside the agent's own integral, by cause: gap, hold, mode, program, other",
        ),
    )
}

_PER_BILLED_UNIT = {
    Unit.MILLISECOND: ("h", 3_600_000),
    Unit.MICROMETRE: ("km", 1_000_000_000),
    Unit.MILLIREVOLUTION: ("rev", 1_000),
    Unit.MILLIWATT_HOUR: ("kWh", 1_000_000),
    Unit.PIECE: ("1", 1),
}


class UnknownRegister(ValueError):
    """A register code's name must be one of the catalogue's."""


def describe(code: str) -> Register:
    """The catalogue's entry for a code such as `travel.X`."""
    name = code.partition(".")[0]
    if name not in _CATALOGUE:
        raise UnknownRegister(f"{code!r} is no register; there are {', '.join(sorted(_CATALOGUE))}")
    return _CATALOGUE[name]


def catalogue() -> Iterable[Register]:
    """Every register name there is, with unit and definition."""
    return _CATALOGUE.values()


def billed_unit(code: str) -> str:
    """The unit that people are billed in: h, km, rev, kWh or 1."""
    return _PER_BILLED_UNIT[describe(code).unit][0]


def in_billed_unit(code: str, value: int) -> Fraction:
    """`value` of register `code` in its billed unit, exactly."""
    return Fraction(value, _PER_BILLED_UNIT[describe(code).unit][1])
