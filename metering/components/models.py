"""From a machine's use to the wear of one component: the share of its life that a stretch took.

Shares add up (Palmgren-Miner): the share of a whole is exactly the sum of its parts' shares, whatever the split. All is
exact; only a roller bearing's exponent 10/3 makes a power that is rounded, once per load class, to 40 digits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from metering import life
from metering.components.parameters import Kind, Parameters
from metering.components.use import SIXTIETHS_PER_REV, UnknownLoad, Use
from metering.register import in_billed_unit
from metering.spectrum import Cell
from metering.wear import WearModel, wear_hours

_MS_PER_HOUR = 3_600_000
_UM_PER_KM = 1_000_000_000
_RATED_LOAD = Fraction(100)
_MREV = 1_000_000


@dataclass(frozen=True, slots=True)
class CannotSay:
    """Why a component's wear cannot be told: something that it rests on was not measured."""

    reason: str


@dataclass(frozen=True, slots=True)
class Worn:
    """What a stretch took of a component's life, as shares of it (1 is all of it).

    `share` is what was measured. Where a spindle turned with unknown load, its wear lies between that of no load and
    that of rated load: `least` and `most` include it (`most` None: not even that can be said). `used` is in the unit
    of `unit_of`, and `unknown` the part of it with unknown load.
    """

    share: Fraction = Fraction(0)
    least: Fraction = Fraction(0)
    most: Fraction | None = Fraction(0)
    used: Fraction = Fraction(0)
    unknown: Fraction = Fraction(0)

    def __add__(self, other: "Worn") -> "Worn":
        most = None if self.most is None or other.most is None else self.most + other.most
        return Worn(
            self.share + other.share,
            self.least + other.least,
            most,
            self.used + other.used,
            self.unknown + other.unknown,
        )

    @property
    def known(self) -> Fraction:
        """The use that `share` rests on."""
        return self.used - self.unknown


def wear(parameters: Parameters, use: Use) -> Worn | CannotSay:
    """What `use` took of the life of a component with these `parameters`."""
    needed = rests_on(parameters)
    if use.deltas and needed not in use.deltas:
        return CannotSay(f"the meter does not count {needed}")
    return _MODELS[parameters.kind](parameters, use)


def rests_on(parameters: Parameters) -> str:
    """The register without which nothing can be said."""
    if parameters.kind is Kind.BALL_SCREW:
        return f"travel.{parameters.text('axis')}"
    if parameters.kind is Kind.COUNTED:
        return parameters.text("register")
    return f"spindle_on.{parameters.text('spindle')}"


def equivalent_load(parameters: Parameters, load: Fraction) -> Fraction:
    """A bearing's equivalent load P in N at a spindle `load` in %: straight between the stated points [house].

    Below the first point it is the first's; beyond the last the last line goes on, so that an overload wears more.
    """
    rows = [(Fraction(percent), Fraction(force)) for percent, force in parameters.rows("loads")]
    if load <= rows[0][0] or len(rows) == 1:
        return rows[0][1]
    (x1, y1), (x2, y2) = next((pair for pair in pairwise(rows) if load <= pair[1][0]), (rows[-2], rows[-1]))
    return y1 + (y2 - y1) * (load - x1) / (x2 - x1)


def screw_share_per_mrev(parameters: Parameters) -> Fraction:
    """Share of a ball screw's life that a million turns take: (fw Fm / Ca)^3 [ISO 3408-5].

    Fm^3 = sum F^3 n t / sum n t over the stated duty; no root is drawn, so it is exact.
    """
    rows = [tuple(map(Fraction, row)) for row in parameters.rows("duty")]
    turns = sum((speed * share for _, speed, share in rows), Fraction(0))
    cubes = sum((force**3 * speed * share for force, speed, share in rows), Fraction(0)) / turns
    return cubes * (Fraction(parameters.number("load_factor")) / Fraction(parameters.number("rating_n"))) ** 3


def rated(parameters: Parameters) -> Fraction | None:
    """The life in the unit of `unit_of`; None where it depends on the load (bearings, wear hours)."""
    if parameters.kind is Kind.COUNTED:
        return Fraction(parameters.number("capacity"))
    if parameters.kind is Kind.BALL_SCREW:
        return Fraction(parameters.number("lead_mm")) / screw_share_per_mrev(parameters)
    return None


def contract_model(parameters: Parameters) -> WearModel:
    """The wear hours' constants: the very model that a tariff prices by (`metering.wear`)."""
    return WearModel(
        n_ref=int(parameters.number("reference_speed_per_min")),
        load_ref=int(parameters.number("reference_load_percent")),
        a=Fraction(parameters.number("preload_floor")),
        p=int(parameters.number("exponent")),
    )


def _bearings(parameters: Parameters, use: Use) -> Worn:
    p = life.BALL if parameters.text("rolling") == "ball" else life.ROLLER
    rating, factor = Fraction(parameters.number("rating_n")), Fraction(parameters.number("life_factor"))
    known: dict[Fraction, Fraction] = {}

    def share_per_rev(load: Fraction) -> Fraction:
        if load not in known:
            known[load] = life.share_per_mrev(rating, equivalent_load(parameters, load), p) / factor / _MREV
        return known[load]

    spindle = parameters.text("spindle")
    turns: dict[int, int] = {}
    for (name, key), ms in use.spectrum.items():
        if name == spindle:
            cell = Cell.from_key(key)
            turns[cell.load] = turns.get(cell.load, 0) + cell.speed * ms
    share = sum((_revolutions(count) * share_per_rev(Fraction(load)) for load, count in turns.items()), Fraction(0))
    return _with_unknown(share, use, spindle, share_per_rev)


def _wear_hours(parameters: Parameters, use: Use) -> Worn:
    model, capacity = contract_model(parameters), Fraction(parameters.number("capacity"))
    spindle = parameters.text("spindle")
    share = wear_hours(use.spectrum, model, spindle=spindle) / capacity
    return _with_unknown(share, use, spindle, lambda load: model.rate(1, int(load)) / 60 / capacity)


def _with_unknown(share: Fraction, use: Use, spindle: str, share_per_rev: Callable[[Fraction], Fraction]) -> Worn:
    lacking = use.unknown_load.get(spindle, UnknownLoad())
    least = share + _revolutions(lacking.least) * share_per_rev(Fraction(0))
    most = None if lacking.most is None else share + _revolutions(lacking.most) * share_per_rev(_RATED_LOAD)
    hours = Fraction(use.deltas.get(f"spindle_on.{spindle}", 0), _MS_PER_HOUR)
    return Worn(share, least, most, hours, Fraction(lacking.ms, _MS_PER_HOUR))


def _screw(parameters: Parameters, use: Use) -> Worn:
    km = Fraction(use.deltas.get(rests_on(parameters), 0), _UM_PER_KM)
    # Travel in km over lead in mm is million turns.
    share = km / Fraction(parameters.number("lead_mm")) * screw_share_per_mrev(parameters)
    return Worn(share, share, share, km)


def _counted(parameters: Parameters, use: Use) -> Worn:
    code = parameters.text("register")
    used = in_billed_unit(code, use.deltas.get(code, 0))
    share = used / Fraction(parameters.number("capacity"))
    return Worn(share, share, share, used)


def _revolutions(sixtieths: int) -> Fraction:
    return Fraction(sixtieths, SIXTIETHS_PER_REV)


_MODELS: dict[Kind, Callable[[Parameters, Use], Worn]] = {
    Kind.SPINDLE_BEARINGS: _bearings,
    Kind.WEAR_HOURS: _wear_hours,
    Kind.BALL_SCREW: _screw,
    Kind.COUNTED: _counted,
}
