"""Exact numbers as text."""

from decimal import Decimal
from fractions import Fraction

from billing.money import round_half_up

_SHOWN_PLACES = 6


def plain(number: Decimal) -> str:
    """A decimal as JSON text: digits only, its trailing zeros kept."""
    return format(number, "f")


def exact_text(exact: Fraction) -> str:
    """`exact` as a plain decimal where it ends, else as numerator/denominator."""
    rest, places = exact.denominator, 0
    for prime in (2, 5):
        power = 0
        while rest % prime == 0:
            rest, power = rest // prime, power + 1
        places = max(places, power)
    if rest != 1:
        return f"{exact.numerator}/{exact.denominator}"
    digits = str(abs(exact.numerator) * 10**places // exact.denominator).rjust(places + 1, "0")
    sign = "-" if exact < 0 else ""
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)


def shown_text(exact: Fraction) -> str:
    """`exact` for people: as it is where it ends, else six places and the fraction that it stands for."""
    text = exact_text(exact)
    return f"{round_half_up(exact, _SHOWN_PLACES):f}… ({text})" if "/" in text else text
