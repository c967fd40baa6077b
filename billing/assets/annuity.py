"""Equal payments over time: what a finance lease pays, how its receivable falls, what a lease liability is worth.

Payment: P = (PV - R v^n) i / (1 - v^n), in advance divided by (1 + i); v = 1 / (1 + i). Exact fractions throughout; a
schedule's amounts are HALF_UP once each and its last payment takes what is left (IFRS 16.36 and 16.75, ASC 842-30).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from billing.money import round_half_up


class Timing(StrEnum):
    """When in its period a payment falls."""

    ARREARS = "arrears"
    ADVANCE = "advance"


@dataclass(frozen=True, slots=True)
class Terms:
    """What is financed: `value` now and `residual` at the end, minor units; `rate` a period; equal payments."""

    value: int
    residual: int
    rate: Fraction
    periods: int
    timing: Timing


@dataclass(frozen=True, slots=True)
class Instalment:
    """One period: `closing` = `opening` + `interest` - `payment`, all in minor units."""

    number: int
    opening: int
    payment: int
    interest: int
    closing: int

    @property
    def principal(self) -> int:
        return self.payment - self.interest


def payment(terms: Terms) -> Fraction:
    """The equal payment, exactly, in minor units."""
    discount = 1 / (1 + terms.rate) ** terms.periods
    if terms.rate == 0:
        return Fraction(terms.value - terms.residual, terms.periods)
    arrears = (terms.value - terms.residual * discount) * terms.rate / (1 - discount)
    return arrears if terms.timing is Timing.ARREARS else arrears / (1 + terms.rate)


def instalments(terms: Terms) -> list[Instalment]:
    """The schedule in whole minor units; it closes with the residual, to the unit.

    In advance the payment falls before the period's interest. The last period's interest takes up the rounding of all
    payments, so that every payment is the same.
    """
    regular = int(round_half_up(payment(terms), 0))
    found: list[Instalment] = []
    opening = terms.value
    for number in range(1, terms.periods + 1):
        base = opening if terms.timing is Timing.ARREARS else opening - regular
        interest = int(round_half_up(base * terms.rate, 0))
        if number == terms.periods:
            interest = terms.residual + regular - opening
        found.append(Instalment(number, opening, regular, interest, opening + interest - regular))
        opening = found[-1].closing
    return found


def present_value(payments: Sequence[Fraction | int], rate: Fraction, timing: Timing) -> Fraction:
    """What `payments`, one a period, are worth now: the first measurement of a lease liability (IFRS 16.26)."""
    value = Fraction(0)
    for amount in reversed(payments):
        value = (value + amount) / (1 + rate)
    return value if timing is Timing.ARREARS else value * (1 + rate)
