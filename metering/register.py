"""Registers: cumulative quantities in exact integers of their smallest unit, each with its definition.

A code is a name, or a name and a part (`spindle_on.S1`, `travel.X`). "Spindle hours" has several meanings, so a
contract names the code that it bills by. A register counts what the machine did; its twin `billable_...` leaves out the
time in which nothing is charged (warm-up, maintenance, dry run), while wear registers and the load spectrum go on.
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


_MS = Unit.MILLISECOND
_BILLABLE = (
    Register("power_on", _MS, "the control reports itself switched on"),
    Register("auto_run", _MS, "a program is being executed in automatic mode"),
    Register("program_run", _MS, "a program is being executed in any mode"),
    Register("item_executing", _MS, "the machine reports its item state Executing and its operation mode Processing"),
    Register(
        "cutting",
        _MS,
        "a program is executed with a spindle turning and path feed above zero, at most the machine's cutting feed",
    ),
    Register(
        "cutting_load",
        _MS,
        "a spindle turns with its load above the machine's threshold of cutting",
    ),
    Register("spindle_on", _MS, "spindle turning, not used as an axis; without a part: at least one spindle turning"),
    Register(
        "occupied_idle",
        _MS,
        "a program holds the machine and no spindle turns: executed with the spindles at rest, or interrupted, in feed"
        " hold or stopped in automatic mode, these within the hold limit",
    ),
)
_EXEMPT = "outside warm-up, maintenance and dry run, which are no runtime to be charged"

_CATALOGUE = {
    register.name: register
    for register in (
        *_BILLABLE,
        *(Register(f"billable_{one.name}", _MS, f"{one.definition}; {_EXEMPT}") for one in _BILLABLE),
        Register("warm_up", _MS, "the machine reports that it is warming up"),
        Register("dry_run", _MS, "the control reports that it tries a program without cutting"),
        Register("maintenance", _MS, "the machine reports its operation mode Maintenance"),
        Register(
            "unknown",
            _MS,
            "the source was not proven alive: nothing else counts; with another register's code behind it: while the"
            " source lived, values that this register is counted from may have been lost",
        ),
        Register("revolutions", Unit.MILLIREVOLUTION, "spindle speed integrated over time"),
        Register("travel", Unit.MICROMETRE, "sum of absolute changes of an axis' position"),
        Register("energy", Unit.MILLIWATT_HOUR, "active energy imported, from a meter's counter"),
        Register("parts", Unit.PIECE, "increase of the control's part counter"),
        Register("tool_changes", Unit.PIECE, "times that another tool came into use; no tool in between is none"),
        Register("starts", Unit.PIECE, "times that a spindle began to turn"),
        Register("counter", _MS, "increase of a controller's own time counter: power_on, auto, cut"),
        Register(
            "counter_event",
            Unit.PIECE,
            "times that a counter of the machine did other than grow, by counter and event: reset, step_back,"
            " roll_over, replaced, too_fast, gap_left_open, out_of_range; what each counts for is the profile's policy",
        ),
        Register(
            "counter_beside",
            _MS,
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


def billable_twin(code: str) -> str | None:
    """The code that counts as `code` does, outside warm-up, maintenance and dry run; None where there is none."""
    twin = f"billable_{code}"
    return twin if twin.partition(".")[0] in _CATALOGUE else None


def billed_unit(code: str) -> str:
    """The unit that people are billed in: h, km, rev, kWh or 1."""
    return _PER_BILLED_UNIT[describe(code).unit][0]


def in_billed_unit(code: str, value: int) -> Fraction:
    """`value` of register `code` in its billed unit, exactly."""
    return Fraction(value, _PER_BILLED_UNIT[describe(code).unit][1])
