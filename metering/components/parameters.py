"""A component's parameters: what its wear is computed with, by kind.

What a maker states (ratings, leads, capacities) comes from the part's data sheet. What nobody measures (how spindle
load becomes bearing load, what force an axis sees) is stated too, as an assumption of whoever sets it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import cast

from metering.components.fields import ComponentRefused, Field, Form, Problem, Rows, Value, read, write
from metering.register import UnknownRegister, billed_unit, describe


class Kind(StrEnum):
    """By what a component wears."""

    SPINDLE_BEARINGS = "spindle_bearings"
    BALL_SCREW = "ball_screw"
    WEAR_HOURS = "wear_hours"
    COUNTED = "counted"


TITLES = {
    Kind.SPINDLE_BEARINGS: "Spindle bearings: rating life by load and speed (ISO 281)",
    Kind.BALL_SCREW: "Ball screw: rating life by travel (ISO 3408-5)",
    Kind.WEAR_HOURS: "Spindle by wear hours: an index at constants, as a contract prices it",
    Kind.COUNTED: "Counted part: a register against a capacity (tool changer, turret, pump, axes by km)",
}

_SPINDLE = Field("spindle", "Spindle", "write its name in the meter's registers, such as S1", Form.NAME)


def _no_register(code: str) -> str:
    """What is wrong with a register's code; "" where the catalogue knows it."""
    try:
        describe(code)
    except UnknownRegister as error:
        return str(error)
    return ""


_COUNTS_ONE = "an hour at it counts one wear hour"
_SLOPE = Field(
    "weibull_slope",
    "Weibull slope",
    "how lives scatter: 1.5 for rolling bearings",
    least=Decimal("0.5"),
    most=Decimal(10),
    default="1.5",
)
_WORTH = (
    Field("currency", "Currency", "write its code, such as EUR", Form.NAME, optional=True),
    Field("cost", "Cost", "what the part cost", optional=True),
    Field("residual", "Residual value", "what it is worth when it is used up", optional=True),
)
_RATING = Field(
    "rating_n", "Dynamic load rating", "write C of the data sheet in N", unit="N", above=True, most=Decimal(10**8)
)

FIELDS: dict[Kind, tuple[Field, ...]] = {
    Kind.SPINDLE_BEARINGS: (
        _SPINDLE,
        Field("rolling", "Rolling elements", "ball: p = 3; roller: p = 10/3", Form.CHOICE, choices=("ball", "roller")),
        _RATING,
        Field(
            "loads",
            "Bearing load by spindle load",
            "rows of spindle load in % and equivalent load P in N, straight between them, such as 0 800; 100 4500",
            Form.ROWS,
            columns=("spindle load %", "equivalent load N"),
        ),
        Field(
            "life_factor",
            "Life factor",
            "a1 × aISO for reliability, lubrication and cleanliness; 1 is basic rating life",
            above=True,
            most=Decimal(50),
            default="1",
        ),
        _SLOPE,
        *_WORTH,
    ),
    Kind.BALL_SCREW: (
        Field("axis", "Axis", "write its name in the meter's registers, such as X", Form.NAME),
        _RATING,
        Field("lead_mm", "Lead", "travel per turn in mm", unit="mm", above=True, most=Decimal(1000)),
        Field(
            "duty",
            "Axial force while moving",
            "rows of force in N, speed in 1/min and share of time, such as 3000 500 20; 1500 1000 50; 500 3000 30",
            Form.ROWS,
            columns=("force N", "speed 1/min", "share of time"),
        ),
        Field(
            "load_factor",
            "Load factor fw",
            "1 to 1.2 smooth, 1.2 to 1.5 normal, 1.5 to 3 with shocks",
            least=Decimal(1),
            most=Decimal(5),
            default="1",
        ),
        _SLOPE,
        *_WORTH,
    ),
    Kind.WEAR_HOURS: (
        _SPINDLE,
        Field("reference_speed_per_min", "Reference speed", _COUNTS_ONE, unit="1/min", above=True, whole=True),
        Field("reference_load_percent", "Reference load", _COUNTS_ONE, unit="%", above=True, whole=True),
        Field("preload_floor", "Preload floor", "share of the load that preload makes, 0 to 1", most=Decimal(1)),
        Field(
            "exponent",
            "Exponent",
            "3 unless agreed otherwise",
            least=Decimal(1),
            most=Decimal(10),
            whole=True,
            default="3",
        ),
        Field("capacity", "Capacity", "wear hours until it is used up", unit="WH", above=True),
        *_WORTH,
    ),
    Kind.COUNTED: (
        Field(
            "register",
            "Register",
            "write its code, such as tool_changes, travel.X or power_on",
            Form.NAME,
            check=_no_register,
        ),
        Field(
            "capacity",
            "Capacity",
            "in the unit people are billed in (h, km, kWh, revolutions, pieces) until it is used up",
            above=True,
        ),
        Field(
            "weibull_slope",
            "Weibull slope",
            "only where the capacity is a life that nine of ten reach; leave it out else",
            least=Decimal("0.5"),
            most=Decimal(10),
            optional=True,
        ),
        *_WORTH,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parameters:
    """Checked parameters of one kind. Equal where they say the same, however the numbers were written."""

    kind: Kind
    values: Mapping[str, Value]

    @classmethod
    def of(cls, kind: Kind, given: Mapping[str, object]) -> "Parameters":
        """From a file's, form's or request's fields. Raises ComponentRefused with every wrong field."""
        parameters = cls(kind, read(given, FIELDS[kind]))
        problems = [*_CHECKS[kind](parameters), *_worth(parameters)]
        if problems:
            raise ComponentRefused(problems)
        return parameters

    def to_json(self) -> dict[str, object]:
        """What `of` takes back."""
        return write(self.values)

    def text(self, name: str) -> str:
        return cast(str, self.values[name])

    def number(self, name: str) -> Decimal:
        return cast(Decimal, self.values[name])

    def rows(self, name: str) -> Rows:
        return cast(Rows, self.values[name])

    def __contains__(self, name: str) -> bool:
        return name in self.values


def kind_named(name: object) -> Kind:
    """The kind of this name. Raises ComponentRefused, which lists them."""
    try:
        return Kind(name if isinstance(name, str) else "")
    except ValueError:
        known = ", ".join(Kind)
        raise ComponentRefused([Problem("kind", f"{name!r} is no kind of component; write one of {known}")]) from None


def _of_bearings(parameters: Parameters) -> list[Problem]:
    rows = parameters.rows("loads")
    if any(later[0] <= row[0] for row, later in pairwise(rows)):
        return [Problem("loads", "the spindle loads must rise from row to row; order the rows by spindle load")]
    if any(later[1] < row[1] for row, later in pairwise(rows)):
        return [Problem("loads", "the equivalent load falls while the spindle load rises; more load never wears less")]
    if rows[-1][1] == 0:
        return [Problem("loads", "the equivalent load is zero throughout; write what the bearing carries")]
    if rows[-1][1] > parameters.number("rating_n"):
        return [
            Problem(
                "loads", "an equivalent load is above the rating C, where ISO 281 says nothing; check the units (N)"
            )
        ]
    return []


def _of_screw(parameters: Parameters) -> list[Problem]:
    rows = parameters.rows("duty")
    if not sum(speed * share for _, speed, share in rows):
        return [Problem("duty", "the screw never turns; write a speed and a share of time above zero")]
    if not any(force and speed and share for force, speed, share in rows):
        return [
            Problem("duty", "no force while the screw turns; write the force that it moves against, preload included")
        ]
    if max(force for force, _, _ in rows) > parameters.number("rating_n"):
        return [
            Problem("duty", "a force is above the rating Ca, where the life model says nothing; check the units (N)")
        ]
    return []


def _nothing(_: Parameters) -> list[Problem]:
    return []


_CHECKS: dict[Kind, Callable[[Parameters], list[Problem]]] = {
    Kind.SPINDLE_BEARINGS: _of_bearings,
    Kind.BALL_SCREW: _of_screw,
    Kind.WEAR_HOURS: _nothing,
    Kind.COUNTED: _nothing,
}


def _worth(parameters: Parameters) -> list[Problem]:
    said = [name for name in ("currency", "cost", "residual") if name in parameters]
    missing = [name for name in ("currency", "cost", "residual") if name not in parameters]
    if not said:
        return []
    if missing:
        return [
            Problem(name, "is missing; a part's worth needs currency, cost and residual together") for name in missing
        ]
    code = parameters.text("currency")
    if len(code) != 3 or not code.isascii() or not code.isupper():
        return [Problem("currency", f"{code!r} is no currency; write three capital letters such as EUR")]
    if parameters.number("residual") > parameters.number("cost"):
        return [Problem("residual", "is above the cost; a part does not gain worth by use")]
    return []


def unit_of(parameters: Parameters) -> str:
    """What its use is told in: hours of the spindle turning, km of the axis, or the register's billed unit."""
    if parameters.kind is Kind.COUNTED:
        return billed_unit(parameters.text("register"))
    return "km" if parameters.kind is Kind.BALL_SCREW else "h"
