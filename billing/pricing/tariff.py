"""A tariff version: the contract's prices as a frozen value that checks itself.

It never changes once made; a lease pins one, so an old period is re-rated with the very figures it was billed by.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from billing.pricing.bands import Band, check_bands
from billing.pricing.components import Adder, Element, Heading
from billing.pricing.digits import plain
from billing.pricing.dimensions import is_wear
from billing.pricing.fees import AvailabilityCredit, Bound, EventCharge, Fee, base_fee_from_json, fee_from_json
from billing.pricing.fields import Fields, InvalidInput, Problem
from billing.pricing.wear_terms import wear_from_json, wear_to_json
from metering.wear import WearModel

FORMAT = "spindleshare-tariff/1"


class Rounding(StrEnum):
    """When amounts become whole minor units: each line, or once per VAT category of the bill."""

    LINE = "line"
    SUM = "sum"


@dataclass(frozen=True, slots=True)
class VatRate:
    """A VAT rate under the tariff's own name for it; `category` is EN 16931's (S standard, Z zero, E exempt, ...)."""

    category: str
    percent: Decimal

    @classmethod
    def from_json(cls, value: object) -> "VatRate":
        fields = Fields(value, 'a rate such as {"category": "S", "percent": "13"}')
        category = fields.text("category", "S", choices=("S", "Z", "E", "AE", "K", "G", "O"))
        percent = fields.decimal("percent", least="0")
        if category != "S" and percent:
            fields.wrong("percent", f"must be 0 for category {category}")
        fields.done()
        return cls(category, percent)

    def to_json(self) -> dict[str, Any]:
        return {"category": self.category, "percent": plain(self.percent)}


@dataclass(frozen=True, slots=True)
class TariffVersion:
    """Everything that turns a period's measured use into lines."""

    code: str
    version: int
    title: str
    currency: str
    vat: dict[str, VatRate]
    rounding: Rounding = Rounding.LINE
    bands: tuple[Band, ...] = ()
    wear: WearModel | None = None
    base_fee: Fee | None = None
    elements: tuple[Element, ...] = ()
    adders: tuple[Adder, ...] = ()
    fees: tuple[Fee, ...] = ()
    charges: tuple[EventCharge, ...] = ()
    minimum: Bound | None = None
    maximum: Bound | None = None
    availability_credit: AvailabilityCredit | None = None

    def __post_init__(self) -> None:
        problems = [*check_bands(self.bands), *self._unknown_names(), *self._doubled(), *self._incomplete()]
        if not (len(self.currency) == 3 and self.currency.isascii() and self.currency.isupper()):
            problems.append(Problem(".currency", "write the three letters of ISO 4217, such as CNY"))
        if problems:
            raise InvalidInput(problems)

    def headings(self) -> Iterator[tuple[str, Heading]]:
        """Every charge's path and heading."""
        singles: dict[str, Fee | Bound | AvailabilityCredit | None] = {
            "base_fee": self.base_fee,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "availability_credit": self.availability_credit,
        }
        for name, single in singles.items():
            if single:
                yield f".{name}", single.heading
        for e, element in enumerate(self.elements):
            for c, component in enumerate(element.components):
                yield f".elements[{e}].components[{c}]", component.heading
        lists: dict[str, tuple[Adder | Fee | EventCharge, ...]] = {
            "adders": self.adders,
            "fees": self.fees,
            "charges": self.charges,
        }
        for name, listed in lists.items():
            for index, entry in enumerate(listed):
                yield f".{name}[{index}]", entry.heading

    def _unknown_names(self) -> Iterator[Problem]:
        bands = {band.code for band in self.bands}
        told = f"is no band of this tariff; there are {', '.join(sorted(bands)) or 'none'}"
        for path, heading in self.headings():
            if heading.vat not in self.vat:
                yield Problem(
                    f"{path}.vat", f"{heading.vat!r} is not in $.vat; there are {', '.join(self.vat) or 'none'}"
                )
        for e, element in enumerate(self.elements):
            for b, band in enumerate(element.bands):
                if band not in bands:
                    yield Problem(f".elements[{e}].when.bands[{b}]", f"{band!r} {told}")
        for a, adder in enumerate(self.adders):
            if adder.band not in bands:
                yield Problem(f".adders[{a}].band", f"{adder.band!r} {told}")

    def _doubled(self) -> Iterator[Problem]:
        counts = Counter(heading.code for _, heading in self.headings())
        for path, heading in self.headings():
            if counts[heading.code] > 1:
                yield Problem(f"{path}.code", f"{heading.code!r} is used more than once; a line needs its own code")
        for code, count in Counter(band.code for band in self.bands).items():
            if count > 1:
                yield Problem(".bands", f"{code!r} is used more than once")
        for kind, count in Counter(charge.on for charge in self.charges).items():
            if count > 1:
                yield Problem(".charges", f"{kind.value} is priced more than once")

    def _incomplete(self) -> Iterator[Problem]:
        priced = [component.dimension for element in self.elements for component in element.components]
        priced += [adder.dimension for adder in self.adders]
        if self.wear is None and any(is_wear(dimension) for dimension in priced):
            yield Problem(".wear", "is missing; wear hours are priced, so write the wear model's constants")
        if self.availability_credit and not self.base_fee:
            yield Problem(".availability_credit", "is a share of the base fee; write a base_fee too")
        if self.minimum and self.maximum and self.minimum.amount > self.maximum.amount:
            yield Problem(".minimum.amount", "lies above the maximum")

    @classmethod
    def from_json(cls, value: object) -> "TariffVersion":
        """The tariff in `value` (parsed JSON); `InvalidInput` names every wrong field."""
        fields = Fields(value, "a tariff")
        fields.text("format", choices=(FORMAT,))
        found: dict[str, Any] = {
            "code": fields.code("code"),
            "version": fields.integer("version", least=1),
            "title": fields.text("title"),
            "currency": fields.text("currency"),
            "vat": fields.pairs("vat", VatRate.from_json),
            "rounding": Rounding(fields.text("rounding", Rounding.LINE.value, choices=list(Rounding)) or "line"),
            "bands": fields.many("bands", Band.from_json),
            "wear": fields.maybe("wear", wear_from_json),
            "base_fee": fields.maybe("base_fee", base_fee_from_json),
            "elements": fields.many("elements", Element.from_json),
            "adders": fields.many("adders", Adder.from_json),
            "fees": fields.many("fees", fee_from_json),
            "charges": fields.many("charges", EventCharge.from_json),
            "minimum": fields.maybe("minimum", Bound.from_json),
            "maximum": fields.maybe("maximum", Bound.from_json),
            "availability_credit": fields.maybe("availability_credit", AvailabilityCredit.from_json),
        }
        fields.done()
        return cls(**found)

    def to_json(self) -> dict[str, Any]:
        """The value as JSON data with decimals as strings; `from_json` gives the same value back."""
        found: dict[str, Any] = {
            "format": FORMAT,
            "code": self.code,
            "version": self.version,
            "title": self.title,
            "currency": self.currency,
            "rounding": self.rounding.value,
        }
        found["vat"] = {code: rate.to_json() for code, rate in self.vat.items()}
        for name in ("bands", "elements", "adders", "fees", "charges"):
            if listed := getattr(self, name):
                found[name] = [entry.to_json() for entry in listed]
        for name in ("base_fee", "minimum", "maximum", "availability_credit"):
            if single := getattr(self, name):
                found[name] = single.to_json()
        if self.wear:
            found["wear"] = wear_to_json(self.wear)
        return found

    def canonical(self) -> str:
        """The one text of this version: what is stored, hashed and put into evidence."""
        return json.dumps(self.to_json(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    def digest(self) -> str:
        """SHA-256 (hex) of the canonical text."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()
