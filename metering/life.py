"""Life of bearings and ball screws under changing load: physics for the asset's book, never for the bill.

L10 is the life that nine of ten of a large population reach; it is not a date for one spindle, and pages must say so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction

BALL = Fraction(3)
ROLLER = Fraction(10, 3)
_PRECISION = 28
_WEAR_PRECISION = 40
_RATED_RELIABILITY = Fraction(9, 10)


class LifeError(ValueError):
    """Loads, speeds, ratings and times of a life calculation must be positive, and there must be at least one step."""


@dataclass(frozen=True, slots=True)
class Duty:
    """One step of a duty cycle: force `load`, `speed` in 1/min, `time` in any unit that all steps share."""

    load: Decimal
    speed: Decimal
    time: Decimal

    def __post_init__(self) -> None:
        _positive(self.load, self.speed, self.time)


def l10(rating: Decimal, load: Decimal, p: Fraction = BALL) -> Decimal:
    """Basic rating life in million revolutions, (C/P)^p [ISO 281]; `rating` C and `load` P in one unit."""
    _positive(rating, load)
    return _power(rating / load, p)


def share_per_mrev(rating: Fraction, load: Fraction, p: Fraction = BALL) -> Fraction:
    """The share of its life that a million revolutions cost: (P/C)^p, the reciprocal of L10 [ISO 281, Palmgren-Miner].

    Exact where `p` is whole; else rounded once, to 40 digits, so that sums over any split of a stretch agree.
    """
    if rating <= 0 or load < 0:
        raise LifeError(f"a rating must be positive and a load not negative: {rating}, {load}")
    ratio = load / rating
    if p.denominator == 1:
        return ratio**p.numerator
    if not ratio:
        return Fraction(0)
    with localcontext() as context:
        context.prec = _WEAR_PRECISION + 10
        exact = Decimal(ratio.numerator) / ratio.denominator
        power = exact ** (Decimal(p.numerator) / p.denominator)
        context.prec = _WEAR_PRECISION
        return Fraction(+power)


def l10_hours(rating: Decimal, load: Decimal, speed: Decimal, p: Fraction = BALL) -> Decimal:
    """Basic rating life in hours at `speed` in 1/min [ISO 281]."""
    _positive(speed)
    return l10(rating, load, p) * 1_000_000 / (60 * speed)


def mean_load(duty: Sequence[Duty], p: Fraction = BALL) -> Decimal:
    """The constant load that wears like `duty`: (sum F^p n t / sum n t)^(1/p)."""
    turns = _turns(duty)
    return _power(sum((_power(step.load, p) * step.speed * step.time for step in duty), Decimal(0)) / turns, 1 / p)


def mean_speed(duty: Sequence[Duty]) -> Decimal:
    """Revolutions per minute, averaged over time."""
    return _turns(duty) / sum((step.time for step in duty), Decimal(0))


def miner(duty: Sequence[Duty], rating: Decimal, p: Fraction = BALL) -> Decimal:
    """The share of the life that `duty`, its times in hours, uses up: sum of t / L10h(P, n) [Palmgren-Miner]."""
    _turns(duty)
    return sum((step.time / l10_hours(rating, step.load, step.speed, p) for step in duty), Decimal(0))


def mix_life_hours(duty: Sequence[Duty], rating: Decimal, p: Fraction = BALL) -> Decimal:
    """Hours that a bearing lives on this mix of duty, from its share of life used."""
    return sum((step.time for step in duty), Decimal(0)) / miner(duty, rating, p)


def reliability(damage: Decimal, beta: Decimal = Decimal("1.5")) -> Decimal:
    """The share of a population that survives `damage` (1 at L10): exp(-ln(1/0.9) D^beta), Weibull."""
    with localcontext() as context:
        context.prec = _PRECISION
        return (-(Decimal(10) / 9).ln() * damage**beta).exp()


def share_at(reliability: Fraction, beta: Decimal = Decimal("1.5")) -> Decimal:
    """The share of life, 1 at L10, that so much of a population survives: the function above solved for D.

    It is the factor a1 of ISO 281:1990 for the slope 1.5, and about 3.5 at one half.
    """
    _positive(beta)
    if not 0 < reliability < 1:
        raise LifeError(f"a reliability lies between 0 and 1, not at {reliability}")
    with localcontext() as context:
        context.prec = _PRECISION
        return (_log(reliability) / _log(_RATED_RELIABILITY)) ** (1 / beta)


def remaining(share: Fraction, pace: Fraction, until: Fraction = Fraction(1)) -> Fraction:
    """The use left until the share of life `until`, at `pace` (share of life per unit of use); never below 0."""
    if pace <= 0:
        raise LifeError(f"a pace of wear must be positive, not {pace}")
    return max((until - share) / pace, Fraction(0))


def screw_l10(rating: Decimal, mean_force: Decimal, load_factor: Decimal = Decimal(1)) -> Decimal:
    """Life of a ball screw in million revolutions, (Ca / (fw Fm))^3 [ISO 3408-5]."""
    _positive(load_factor)
    return l10(rating, load_factor * mean_force, BALL)


def screw_km(life_mrev: Decimal, lead_mm: Decimal) -> Decimal:
    """Travel in km of `life_mrev` million revolutions. Makers warn of low load at high speed: price axes per km."""
    return life_mrev * lead_mm


def _turns(duty: Sequence[Duty]) -> Decimal:
    if not duty:
        raise LifeError("a duty cycle needs at least one step")
    return sum((step.speed * step.time for step in duty), Decimal(0))


def _power(base: Decimal, exponent: Fraction) -> Decimal:
    with localcontext() as context:
        context.prec = _PRECISION
        return base ** (Decimal(exponent.numerator) / exponent.denominator)


def _log(share: Fraction) -> Decimal:
    return (Decimal(share.numerator) / share.denominator).ln()


def _positive(*values: Decimal) -> None:
    if any(value <= 0 for value in values):
        raise LifeError(f"{', '.join(map(str, values))}: all must be positive")
