"""Money in integer minor units, prices and quantities in Decimal, and the only rounding in the project.

Everything that must become a finite decimal passes through `round_half_up` once: a derived quantity (four places,
shown so), then the money of a line. Tax is computed on sums of rounded nets. Nothing else rounds, and nothing here
or above is ever a float.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction

QUANTITY_PLACES = 4
"""Places that a derived quantity (hours, wear hours, km, kWh) is rounded to before it is priced."""

# ISO 4217: the currencies whose minor unit is not a hundredth.
_WITHOUT = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"
_MINOR_PLACES = {
    **dict.fromkeys(_WITHOUT.split(), 0),
    **dict.fromkeys(_THOUSANDTHS.split(), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}


class CurrencyMismatch(ValueError):
    """Two amounts of different currencies cannot be added; convert one first and store the rate."""


def minor_places(currency: str) -> int:
    """Decimal places of the currency's minor unit (ISO 4217); 2 unless listed."""
    return _MINOR_PLACES.get(currency, 2)


def round_half_up(value: Decimal | Fraction | int, places: int) -> Decimal:
    """`value` to `places` decimals, halves away from zero. Exact for fractions of any size."""
    exact = Fraction(value)
    scaled = abs(exact) * 10**places
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    sign = -1 if exact < 0 else 1
    with localcontext() as context:
        context.prec = 60
        return Decimal(sign * whole).scaleb(-places)


def quantity(value: Decimal | Fraction | int, places: int = QUANTITY_PLACES) -> Decimal:
    """A derived quantity as it is shown and priced: HALF_UP to `places`."""
    return round_half_up(value, places)


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An exact amount: `minor` whole minor units (cents, fen) of an ISO 4217 `currency`."""

    minor: int
    currency: str

    @classmethod
    def of(cls, amount: Decimal | Fraction | str | int, currency: str) -> "Money":
        """`amount` in major units, rounded HALF_UP to the currency's minor unit."""
        exact = Fraction(Decimal(amount)) if isinstance(amount, str) else Fraction(amount)
        places = minor_places(currency)
        return cls(int(round_half_up(exact, places).scaleb(places)), currency)

    @property
    def decimal(self) -> Decimal:
        """The amount in major units with the currency's places."""
        return Decimal(self.minor).scaleb(-minor_places(self.currency))

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other).minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other).minor, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __bool__(self) -> bool:
        return self.minor != 0

    def __str__(self) -> str:
        return f"{self.decimal:,f} {self.currency}"

    def _same(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} do not add")
        return other


def total(amounts: Sequence[Money], currency: str) -> Money:
    """The sum of `amounts`, zero of `currency` when there are none."""
    result = Money(0, currency)
    for amount in amounts:
        result += amount
    return result


def split(amount: Money, weights: Sequence[int]) -> list[Money]:
    """`amount` in parts proportional to `weights`, by largest remainder: the parts always add up to `amount`."""
    whole = sum(weights)
    if whole <= 0 or any(weight < 0 for weight in weights):
        raise ValueError("weights must be non-negative and not all zero")
    sign = -1 if amount.minor < 0 else 1
    floors, remainders = zip(*(divmod(abs(amount.minor) * weight, whole) for weight in weights), strict=True)
    left = abs(amount.minor) - sum(floors)
    order = sorted(range(len(weights)), key=lambda index: (-remainders[index], index))
    extra = set(order[:left])
    return [Money(sign * (floor + (index in extra)), amount.currency) for index, floor in enumerate(floors)]
