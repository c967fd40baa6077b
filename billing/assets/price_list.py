"""What an asset's figures suggest as prices: a base fee a month, and a price for each unit of use.

base fee = (straight line of what goes by time + capital (C + S) / 2 * i / 12 + insurance) * (1 + margin); unit price =
(cost - residual) / capacity * (1 + margin). A suggestion with its working: what is agreed is the tariff's.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing.assets.asset import Asset, AssetComponent
from billing.assets.methods import UnitsOfProduction, months_of_life
from billing.money import Money, minor_places, quantity

_YEAR = 12
_HUNDRED = 100


@dataclass(frozen=True, slots=True)
class PricingTerms:
    """What is asked beside depreciation: yearly interest on the capital tied up, insurance a month, margin on all.

    `expected_hours` a month and `expected_units` by component say what a month is thought to bring.
    """

    interest_percent: Decimal
    insurance_month: Money
    margin_percent: Decimal
    expected_hours: Decimal | None
    expected_units: dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class Price:
    """A suggested price for `unit` of use of `component`, to four places, and how it came about."""

    component: str
    unit: str
    price: Decimal
    working: str


@dataclass(frozen=True, slots=True)
class PriceList:
    """Suggested prices; `expected_month` is what a month brings as expected, `per_hour` that by expected hours."""

    base_fee: Money
    working: tuple[str, ...]
    prices: tuple[Price, ...]
    expected_month: Money
    per_hour: Money | None

    def to_json(self) -> dict[str, Any]:
        """Amounts and prices as strings of major units."""
        return {
            "base_fee": str(self.base_fee.decimal),
            "currency": self.base_fee.currency,
            "working": list(self.working),
            "prices": [
                {"component": one.component, "unit": one.unit, "price": f"{one.price:f}", "working": one.working}
                for one in self.prices
            ],
            "expected_month": str(self.expected_month.decimal),
            "per_expected_hour": None if self.per_hour is None else str(self.per_hour.decimal),
        }


def price_list(asset: Asset, terms: PricingTerms) -> PriceList:
    """The prices that recover `asset` on `terms`: the base fee to the minor unit, prices to four places."""
    margin = 1 + Fraction(terms.margin_percent) / _HUNDRED
    timed = [one for one in asset.components if not isinstance(one.method, UnitsOfProduction)]
    used = [one for one in asset.components if isinstance(one.method, UnitsOfProduction)]
    structure = sum((_major(one) / months_of_life(one.method) for one in timed), Fraction(0))
    cost = sum((Fraction(one.cost.decimal) for one in asset.components), Fraction(0))
    residual = sum((Fraction(one.residual.decimal) for one in asset.components), Fraction(0))
    capital = (cost + residual) / 2 * Fraction(terms.interest_percent) / _HUNDRED / _YEAR
    insurance = Fraction(terms.insurance_month.decimal)
    base = Money.of((structure + capital + insurance) * margin, asset.currency)
    places = minor_places(asset.currency)
    working = (
        f"straight line of {', '.join(one.code for one in timed) or 'nothing'}: {quantity(structure)} a month",
        f"capital: ({quantity(cost, places)} + {quantity(residual, places)}) / 2 x {terms.interest_percent} % / 12 "
        f"= {quantity(capital)}",
        f"insurance: {terms.insurance_month.decimal} a month",
        f"margin: {terms.margin_percent} % on the sum",
    )
    prices = tuple(_price(one, margin, terms) for one in used)
    expected = base
    for one in prices:
        units = Fraction(terms.expected_units.get(one.component, Decimal(0)))
        expected += Money.of(units * Fraction(one.price), asset.currency)
    hours = terms.expected_hours
    per_hour = Money.of(Fraction(expected.decimal) / Fraction(hours), asset.currency) if hours else None
    return PriceList(base, working, prices, expected, per_hour)


def _price(component: AssetComponent, margin: Fraction, terms: PricingTerms) -> Price:
    method = component.method
    if not isinstance(method, UnitsOfProduction):
        raise TypeError(f"{component.code} does not go by use")
    price = quantity(_major(component) / Fraction(method.capacity) * margin)
    working = f"({component.cost.decimal} - {component.residual.decimal}) / {method.capacity:f} {method.unit}"
    if terms.margin_percent:
        working += f" x (1 + {terms.margin_percent} %)"
    return Price(component.code, method.unit, price, working)


def _major(component: AssetComponent) -> Fraction:
    """What a component loses over its life, in major units."""
    return Fraction(component.cost.decimal) - Fraction(component.residual.decimal)
