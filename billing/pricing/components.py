"""What a tariff charges for use: elements with price components, and adders on top."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

from billing.pricing.digits import exact_text, plain
from billing.pricing.dimensions import is_dimension, known
from billing.pricing.entries import ratio_entry, text_entry
from billing.pricing.fields import Fields, refuse_unless
from billing.pricing.price_models import PriceModel, price_model_from_json
from billing.pricing.proration import Proration


class Category(StrEnum):
    """What a line is in lease accounting (IFRS 16, ASC 842): variable payments are recognised when the use occurs."""

    LEASE_FIXED = "lease_fixed"
    LEASE_VARIABLE = "lease_variable"
    SERVICE = "service"
    ENERGY = "energy"
    PENALTY = "penalty"
    DEPOSIT = "deposit"


@dataclass(frozen=True, slots=True)
class Heading:
    """What every charge of a tariff carries: its line's code and text, its category and its VAT rate's code."""

    code: str
    description: str
    category: Category
    vat: str

    @classmethod
    def read(cls, fields: Fields, category: Category = Category.LEASE_VARIABLE) -> "Heading":
        code = fields.code("code")
        return cls(
            code,
            fields.text("description", code),
            Category(fields.text("category", category.value, choices=list(Category)) or category),
            fields.code("vat"),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "description": self.description,
            "category": self.category.value,
            "vat": self.vat,
        }


@dataclass(frozen=True, slots=True)
class Allowance:
    """Units that cost nothing in a period, prorated like a fixed amount where the lease covers a part of it."""

    quantity: Decimal
    proration: Proration = Proration.NONE

    @classmethod
    def from_json(cls, value: object) -> "Allowance":
        fields = Fields(value, 'an allowance such as {"quantity": "40"}')
        allowance = cls(fields.decimal("quantity", least="0"), read_proration(fields))
        fields.done()
        return allowance

    def to_json(self) -> dict[str, Any]:
        return {"quantity": plain(self.quantity), "proration": self.proration.value}


@dataclass(frozen=True, slots=True)
class PriceComponent:
    """The price of one dimension: its total in the period, less the allowance, in whole steps, by a price model."""

    heading: Heading
    dimension: str
    price: PriceModel
    included: Allowance | None = None
    step: Fraction | None = None

    def __post_init__(self) -> None:
        refuse_unless(
            (is_dimension(self.dimension), ".dimension", f"{self.dimension!r} is not known; write {known()}"),
            (self.step is None or self.step > 0, ".step", "must be above 0"),
        )

    @classmethod
    def from_json(cls, value: object) -> "PriceComponent":
        fields = Fields(value, "a price component with code, dimension, vat and price")
        heading, dimension = Heading.read(fields), fields.text("dimension")
        price, included = fields.one("price", price_model_from_json), fields.maybe("included", Allowance.from_json)
        step = fields.maybe("step", ratio_entry)
        fields.done()
        return cls(heading, dimension, price, included, step)

    def to_json(self) -> dict[str, Any]:
        found = {**self.heading.to_json(), "dimension": self.dimension, "price": self.price.to_json()}
        if self.included:
            found["included"] = self.included.to_json()
        if self.step is not None:
            found["step"] = exact_text(self.step)
        return found


@dataclass(frozen=True, slots=True)
class Element:
    """Price components that apply in some bands (none named: in all). For each dimension the first element that
    applies and has a component for it is the one that prices it."""

    components: tuple[PriceComponent, ...]
    bands: tuple[str, ...] = ()

    def applies(self, band: str) -> bool:
        return not self.bands or band in self.bands

    @classmethod
    def from_json(cls, value: object) -> "Element":
        fields = Fields(value, "an element with components")
        bands = fields.maybe("when", _when) or ()
        components = fields.many("components", PriceComponent.from_json, least=1)
        fields.done()
        return cls(components, bands)

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"components": [component.to_json() for component in self.components]}
        return {"when": {"bands": list(self.bands)}, **found} if self.bands else found


@dataclass(frozen=True, slots=True)
class Adder:
    """An amount per unit on top of a dimension's price within one band, negative for a reduction.

    All adders apply, whatever their order; they see every unit, those within an allowance too.
    """

    heading: Heading
    dimension: str
    band: str
    amount: Decimal

    def __post_init__(self) -> None:
        refuse_unless((is_dimension(self.dimension), ".dimension", f"write {known()}"))

    @classmethod
    def from_json(cls, value: object) -> "Adder":
        fields = Fields(value, "an adder with code, dimension, band, vat and amount")
        heading, dimension = Heading.read(fields), fields.text("dimension")
        band, amount = fields.code("band"), fields.decimal("amount")
        fields.done()
        return cls(heading, dimension, band, amount)

    def to_json(self) -> dict[str, Any]:
        place = {"dimension": self.dimension, "band": self.band, "amount": plain(self.amount)}
        return {**self.heading.to_json(), **place}


def read_proration(fields: Fields, default: Proration = Proration.NONE) -> Proration:
    return Proration(fields.text("proration", default.value, choices=list(Proration)) or default)


def _when(value: object) -> tuple[str, ...]:
    fields = Fields(value, 'restrictions such as {"bands": ["peak"]}')
    bands = fields.many("bands", text_entry, least=1)
    fields.done()
    return bands
