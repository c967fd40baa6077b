"""What a tariff charges beside use: fees, the lease's minimum and maximum, availability credit, priced events."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

from billing.pricing.components import Category, Heading, read_proration
from billing.pricing.digits import plain
from billing.pricing.fields import Fields, InvalidInput, Problem, refuse_unless
from billing.pricing.proration import Proration


@dataclass(frozen=True, slots=True)
class FeePart:
    """What a fee is made of, so that its working can say it."""

    description: str
    amount: Decimal

    @classmethod
    def from_json(cls, value: object) -> "FeePart":
        fields = Fields(value, 'a part such as {"description": "insurance", "amount": "200.00"}')
        part = cls(fields.text("description"), fields.decimal("amount"))
        fields.done()
        return part

    def to_json(self) -> dict[str, Any]:
        return {"description": self.description, "amount": plain(self.amount)}


@dataclass(frozen=True, slots=True)
class Fee:
    """A fixed amount for the whole period, the sum of its parts; rounded once, after proration."""

    heading: Heading
    parts: tuple[FeePart, ...]
    proration: Proration

    @property
    def amount(self) -> Fraction:
        return sum((Fraction(part.amount) for part in self.parts), Fraction(0))

    @classmethod
    def read(cls, value: object, category: Category) -> "Fee":
        fields = Fields(value, "a fee with code, vat, parts and proration")
        heading, parts = Heading.read(fields, category), fields.many("parts", FeePart.from_json, least=1)
        proration = read_proration(fields)
        fields.done()
        return cls(heading, parts, proration)

    def to_json(self) -> dict[str, Any]:
        parts = [part.to_json() for part in self.parts]
        return {**self.heading.to_json(), "parts": parts, "proration": self.proration.value}


def base_fee_from_json(value: object) -> Fee:
    """A fee for the right to use: fixed lease payment unless it says otherwise."""
    return Fee.read(value, Category.LEASE_FIXED)


def fee_from_json(value: object) -> Fee:
    """A recurring fee for a service unless it says otherwise."""
    return Fee.read(value, Category.SERVICE)


@dataclass(frozen=True, slots=True)
class Bound:
    """A minimum or maximum for the sum of the lines of some categories; the difference is a line of its own."""

    heading: Heading
    amount: Decimal
    covers: tuple[Category, ...]
    proration: Proration

    @classmethod
    def from_json(cls, value: object) -> "Bound":
        fields = Fields(value, "a bound with code, vat and amount")
        heading = Heading.read(fields, Category.LEASE_FIXED)
        amount, covers = fields.decimal("amount", least="0"), fields.many("covers", _category)
        proration = read_proration(fields)
        fields.done()
        return cls(heading, amount, covers or (Category.LEASE_FIXED, Category.LEASE_VARIABLE), proration)

    def to_json(self) -> dict[str, Any]:
        covers = [category.value for category in self.covers]
        figures = {"amount": plain(self.amount), "covers": covers, "proration": self.proration.value}
        return {**self.heading.to_json(), **figures}


@dataclass(frozen=True, slots=True)
class AvailabilityCredit:
    """`step_percent` of the base fee back for every whole point of availability below the guarantee.

    `cap_percent` of the base fee is the most that is given back.
    """

    heading: Heading
    guaranteed_percent: Decimal
    step_percent: Decimal
    cap_percent: Decimal

    def __post_init__(self) -> None:
        refuse_unless(
            (0 <= self.guaranteed_percent <= 100, ".guaranteed_percent", "write a percentage from 0 to 100"),
            (self.step_percent >= 0, ".step_percent", "must not be negative"),
            (0 <= self.cap_percent <= 100, ".cap_percent", "write a percentage from 0 to 100"),
        )

    def percent(self, availability: Decimal) -> tuple[int, Decimal]:
        """Whole points below the guarantee, and the percentage of the base fee that they give back."""
        points = max(0, int((self.guaranteed_percent - availability) // 1))
        return points, min(points * self.step_percent, self.cap_percent)

    @classmethod
    def from_json(cls, value: object) -> "AvailabilityCredit":
        fields = Fields(value, "a credit with code, vat, guaranteed_percent and step_percent")
        heading = Heading.read(fields, Category.LEASE_VARIABLE)
        guaranteed, step = fields.decimal("guaranteed_percent"), fields.decimal("step_percent")
        cap = fields.decimal("cap_percent", "100")
        fields.done()
        return cls(heading, guaranteed, step, cap)

    def to_json(self) -> dict[str, Any]:
        figures = {
            "guaranteed_percent": plain(self.guaranteed_percent),
            "step_percent": plain(self.step_percent),
            "cap_percent": plain(self.cap_percent),
        }
        return {**self.heading.to_json(), **figures}


class EventKind(StrEnum):
    """What may happen in a lease and be priced by itself."""

    LATE_CANCEL = "late_cancel"
    NO_SHOW = "no_show"
    DAMAGE = "damage"
    SERVICE = "service"


NEEDS_EVIDENCE = (EventKind.LATE_CANCEL, EventKind.NO_SHOW, EventKind.DAMAGE)


@dataclass(frozen=True, slots=True)
class EventCharge:
    """The price of an event's unit; None: the event brings its own amount (a repair's bill)."""

    heading: Heading
    on: EventKind
    unit: str
    price: Decimal | None

    @classmethod
    def from_json(cls, value: object) -> "EventCharge":
        fields = Fields(value, "a charge with code, on, vat and price")
        kind = EventKind(fields.text("on", choices=list(EventKind)) or EventKind.SERVICE)
        category = Category.SERVICE if kind is EventKind.SERVICE else Category.PENALTY
        heading = Heading.read(fields, category)
        unit, price = fields.text("unit", "1"), fields.maybe_decimal("price")
        fields.done()
        return cls(heading, kind, unit, price)

    def to_json(self) -> dict[str, Any]:
        found = {**self.heading.to_json(), "on": self.on.value, "unit": self.unit}
        return found if self.price is None else {**found, "price": plain(self.price)}


def _category(value: object) -> Category:
    if value not in list(Category):
        raise InvalidInput([Problem("", f"write one of {', '.join(Category)}")])
    return Category(str(value))
