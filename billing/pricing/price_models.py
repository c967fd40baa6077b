"""How a quantity becomes an amount: flat, per unit, graduated, volume, package.

Each model gives charges: the parts of the amount with quantity, price and exact value, not yet rounded.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar, TypeAlias

from billing.money import quantity
from billing.pricing.digits import plain
from billing.pricing.fields import Fields, InvalidInput, Problem, refuse_unless


@dataclass(frozen=True, slots=True)
class Charge:
    """A part of a price: `suffix` tells it from its siblings, `precise` is exact, `unit` only where it is not the
    dimension's own."""

    suffix: str
    precise: Fraction
    working: str
    quantity: Decimal | None = None
    price: Decimal | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Flat:
    """One amount for the period once anything was used."""

    model: ClassVar[str] = "flat"
    amount: Decimal

    def charge(self, used: Decimal) -> tuple[Charge, ...]:
        if not used:
            return ()
        return (Charge("", Fraction(self.amount), f"once in the period: {plain(self.amount)}"),)

    def to_json(self) -> dict[str, Any]:
        return {"model": self.model, "amount": plain(self.amount)}


@dataclass(frozen=True, slots=True)
class PerUnit:
    """Every unit at one price."""

    model: ClassVar[str] = "per_unit"
    amount: Decimal

    def charge(self, used: Decimal) -> tuple[Charge, ...]:
        return (_units("", used, self.amount),) if used else ()

    def to_json(self) -> dict[str, Any]:
        return {"model": self.model, "amount": plain(self.amount)}


@dataclass(frozen=True, slots=True)
class Tier:
    """Units up to and including `up_to` (None: without end) at `unit` each, plus `flat` once."""

    up_to: Decimal | None
    unit: Decimal
    flat: Decimal

    @classmethod
    def from_json(cls, value: object) -> "Tier":
        fields = Fields(value, 'a tier such as {"up_to": "120", "unit": "18.00"}')
        tier = cls(fields.maybe_decimal("up_to", least="0"), fields.decimal("unit", "0"), fields.decimal("flat", "0"))
        fields.done()
        return tier

    def to_json(self) -> dict[str, Any]:
        found = {"unit": plain(self.unit), "flat": plain(self.flat)}
        return found if self.up_to is None else {"up_to": plain(self.up_to), **found}


@dataclass(frozen=True, slots=True)
class _Tiered:
    tiers: tuple[Tier, ...]

    def __post_init__(self) -> None:
        limits = [tier.up_to for tier in self.tiers]
        if not limits or limits[-1] is not None:
            raise InvalidInput([Problem(".tiers", "the last tier must be without up_to, so that no unit is unpriced")])
        previous = Decimal(0)
        for index, limit in enumerate(limits[:-1]):
            refuse_unless(
                (limit is not None, f".tiers[{index}].up_to", "only the last tier may be without up_to"),
                (limit is None or limit > previous, f".tiers[{index}].up_to", f"must lie above {previous}"),
            )
            previous = limit or previous


@dataclass(frozen=True, slots=True)
class Graduated(_Tiered):
    """Each tier's units at the tier's own price; its flat amount once it is entered (the first always is)."""

    model: ClassVar[str] = "graduated"

    def charge(self, used: Decimal) -> tuple[Charge, ...]:
        charges, lower = [], Decimal(0)
        for number, tier in enumerate(self.tiers, start=1):
            if number > 1 and used <= lower:
                break
            upper = used if tier.up_to is None else min(used, tier.up_to)
            name = f"tier {number}, {_span(lower, tier.up_to)}"
            charges += _tier(f".{number}", name, upper - lower, tier)
            lower = upper if tier.up_to is None else tier.up_to
        return tuple(charges)

    def to_json(self) -> dict[str, Any]:
        return {"model": self.model, "tiers": [tier.to_json() for tier in self.tiers]}


@dataclass(frozen=True, slots=True)
class Volume(_Tiered):
    """All units at the price of the tier that their total reaches; nothing when nothing was used."""

    model: ClassVar[str] = "volume"

    def charge(self, used: Decimal) -> tuple[Charge, ...]:
        if not used:
            return ()
        for number, tier in enumerate(self.tiers, start=1):
            if tier.up_to is None or used <= tier.up_to:
                return tuple(_tier("", f"all in tier {number}", used, tier))
        raise AssertionError("the last tier has no end")

    def to_json(self) -> dict[str, Any]:
        return {"model": self.model, "tiers": [tier.to_json() for tier in self.tiers]}


@dataclass(frozen=True, slots=True)
class Package:
    """Whole packages of `size` units, a started one counts; the first `free` units cost nothing."""

    model: ClassVar[str] = "package"
    size: Decimal
    amount: Decimal
    free: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        refuse_unless((self.size > 0, ".size", "must be above 0"), (self.free >= 0, ".free", "must not be negative"))

    def charge(self, used: Decimal) -> tuple[Charge, ...]:
        rest = used - self.free
        if rest <= 0:
            return ()
        packages = Decimal(-(-Fraction(rest) // Fraction(self.size)))
        started = f"{plain(used)} less {plain(self.free)} free, in packages of {plain(self.size)}"
        working = f"{started}: {packages} × {plain(self.amount)}"
        return (Charge("", Fraction(packages) * Fraction(self.amount), working, packages, self.amount, "package"),)

    def to_json(self) -> dict[str, Any]:
        return {"model": self.model, "size": plain(self.size), "amount": plain(self.amount), "free": plain(self.free)}


PriceModel: TypeAlias = Flat | PerUnit | Graduated | Volume | Package
MODELS = ("flat", "per_unit", "graduated", "volume", "package")


def price_model_from_json(value: object) -> PriceModel:
    """The model that `value` names, with its figures."""
    fields = Fields(value, 'a price such as {"model": "per_unit", "amount": "18.00"}')
    name = fields.text("model", choices=MODELS)
    if name in ("graduated", "volume"):
        tiers = fields.many("tiers", Tier.from_json, least=1)
        fields.done()
        return Graduated(tiers) if name == "graduated" else Volume(tiers)
    if name == "package":
        size, amount, free = fields.decimal("size"), fields.decimal("amount"), fields.decimal("free", "0")
        fields.done()
        return Package(size, amount, free)
    amount = fields.decimal("amount")
    fields.done()
    return Flat(amount) if name == "flat" else PerUnit(amount)


def _units(suffix: str, used: Decimal, price: Decimal, name: str = "") -> Charge:
    precise = Fraction(used) * Fraction(price)
    working = f"{name}{': ' if name else ''}{plain(used)} × {plain(price)}"
    return Charge(suffix, precise, working, used, price)


def _tier(suffix: str, name: str, used: Decimal, tier: Tier) -> list[Charge]:
    charges = []
    if used and tier.unit:
        charges.append(_units(suffix, quantity(used), tier.unit, name))
    if tier.flat:
        charges.append(Charge(f"{suffix}.flat", Fraction(tier.flat), f"{name}, once: {plain(tier.flat)}"))
    return charges


def _span(lower: Decimal, up_to: Decimal | None) -> str:
    return f"above {plain(lower)}" if up_to is None else f"{plain(lower)} to {plain(up_to)}"
