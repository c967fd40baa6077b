"""Rating: the one function that turns measured use and a tariff into lines, VAT and a total.

Estimate, live cost, preview, invoice and the offline check all call `rate`. It is pure: same tariff and same measure,
same bill, bit for bit.
"""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from billing.money import Money, quantity, total
from billing.pricing.components import Adder, Allowance, Category, Element, Heading, PriceComponent
from billing.pricing.dimensions import is_wear, unit_of
from billing.pricing.fees import Bound, Fee
from billing.pricing.fields import exact_text, plain
from billing.pricing.measured import Event, Measured
from billing.pricing.price_models import Charge
from billing.pricing.proration import Proration, Share, share
from billing.pricing.rated import RatedBill, RatedLine, round_lines
from billing.pricing.tariff import Rounding, TariffVersion
from billing.pricing.totals import Totals, by_band
from billing.pricing.wear_terms import wear_working

_ORDER = (Category.LEASE_FIXED, Category.ENERGY, Category.PENALTY, Category.SERVICE, Category.DEPOSIT)


def rate(tariff: TariffVersion, measured: Measured) -> RatedBill:
    """Everything that `measured` owes under `tariff`.

    Derived quantities are rounded HALF_UP to four places and shown so, then each line's money once, by the tariff's
    rounding policy. Raises `InvalidInput` when a slice names a band that the tariff does not have.
    """
    rating = _Rating(tariff, measured)
    lines = [*rating.base_fee(), *rating.use(), *rating.credit(), *rating.fees(), *rating.events()]
    lines += rating.bounds(lines)
    return RatedBill(
        tariff=tariff.code,
        version=tariff.version,
        tariff_digest=tariff.digest(),
        rounding=tariff.rounding,
        currency=tariff.currency,
        period=measured.period,
        zone=measured.zone,
        lines=round_lines(sorted(lines, key=_rank), tariff.rounding, tariff.currency),
        notes=tuple(dict.fromkeys(rating.notes)),
    )


class _Rating:
    """One run of `rate`: the inputs, the totals per band, and the notes gathered on the way."""

    def __init__(self, tariff: TariffVersion, measured: Measured) -> None:
        self.tariff, self.measured, self.notes = tariff, measured, list[str]()
        self.totals, shared = by_band(tariff, measured)
        if shared:
            self.notes.append(f"{shared} slices cross a border between bands; their use was shared by time")

    def base_fee(self) -> Iterator[RatedLine]:
        if self.tariff.base_fee:
            yield from self._fee(self.tariff.base_fee)

    def fees(self) -> Iterator[RatedLine]:
        for fee in self.tariff.fees:
            yield from self._fee(fee)

    def use(self) -> Iterator[RatedLine]:
        """Each component's lines, and after the last component of a dimension the adders on it."""
        components = [component for element in self.tariff.elements for component in element.components]
        found = _first_matches(self.tariff.elements, self.totals)
        adders = list(self.tariff.adders)
        for index, component in enumerate(components):
            yield from self._component(component, found[component.heading.code])
            if all(later.dimension != component.dimension for later in components[index + 1 :]):
                for adder in [adder for adder in adders if adder.dimension == component.dimension]:
                    adders.remove(adder)
                    yield from self._adder(adder)
        for adder in adders:
            yield from self._adder(adder)

    def credit(self) -> Iterator[RatedLine]:
        """Availability credit: a share of the base fee as it was billed."""
        terms, actual, fee = self.tariff.availability_credit, self.measured.availability_percent, self.tariff.base_fee
        if not terms or not fee:
            return
        if actual is None:
            self.notes.append("availability is not known: no credit was worked out")
            return
        points, percent = terms.percent(actual)
        if not percent:
            return
        base = Money.of(fee.amount * self._share(fee.proration).part, self.tariff.currency)
        exact = -Fraction(base.decimal) * Fraction(percent) / 100
        yield self._line(
            terms.heading,
            exact,
            (
                f"guaranteed {plain(terms.guaranteed_percent)} %, actual {plain(actual)} %: {points} points below",
                f"{points} × {plain(terms.step_percent)} %, at most {plain(terms.cap_percent)} %: {plain(percent)} %",
                f"{plain(percent)} % of the base fee {plain(base.decimal)} = {exact_text(-exact)}",
            ),
        )

    def events(self) -> Iterator[RatedLine]:
        charges = {charge.on: charge for charge in self.tariff.charges}
        for event in sorted(self.measured.events, key=lambda event: (event.at, event.id)):
            charge = charges.get(event.kind)
            price = charge.price if charge and charge.price is not None else event.price
            if charge is None or price is None:
                self.notes.append(f"{event.kind.value} {event.id} has no price in the tariff: nothing billed")
                continue
            exact = Fraction(event.quantity) * Fraction(price)
            working = f"{plain(event.quantity)} × {plain(price)} = {exact_text(exact)}"
            line = self._line(charge.heading, exact, (working, *_proof(event)))
            yield replace(line, quantity=event.quantity, unit=charge.unit, price=price)

    def bounds(self, lines: list[RatedLine]) -> Iterator[RatedLine]:
        """The top-up to the minimum, or the reduction to the maximum, as a line of its own."""
        if self.tariff.minimum:
            yield from self._bound(self.tariff.minimum, lines, sign=1)
        if self.tariff.maximum:
            yield from self._bound(self.tariff.maximum, lines, sign=-1)

    def _bound(self, bound: Bound, lines: list[RatedLine], sign: int) -> Iterator[RatedLine]:
        part = self._share(bound.proration)
        limit = Money.of(Fraction(bound.amount) * part.part, self.tariff.currency)
        covered = self._sum([line.exact for line in lines if line.category in bound.covers])
        exact = Fraction(limit.decimal) - covered
        if exact * sign <= 0:
            return
        name = "minimum" if sign > 0 else "maximum"
        covers = " + ".join(bound.covers)
        yield self._line(
            bound.heading,
            exact,
            (
                f"{name} {plain(bound.amount)}, {part.working}: {plain(limit.decimal)}",
                f"{covers} come to {exact_text(covered)}; difference {exact_text(exact)}",
            ),
        )

    def _sum(self, exacts: list[Fraction]) -> Fraction:
        if self.tariff.rounding is Rounding.SUM:
            return sum(exacts, Fraction(0))
        currency = self.tariff.currency
        return Fraction(total([Money.of(exact, currency) for exact in exacts], currency).decimal)

    def _fee(self, fee: Fee) -> Iterator[RatedLine]:
        part = self._share(fee.proration)
        if not part.part:
            return
        exact = fee.amount * part.part
        parts = [f"{entry.description}: {plain(entry.amount)}" for entry in fee.parts]
        yield self._line(fee.heading, exact, (*parts, f"{exact_text(fee.amount)}, {part.working}: {exact_text(exact)}"))

    def _component(self, component: PriceComponent, used: Totals) -> Iterator[RatedLine]:
        billable, working = self._billable(component, used)
        proof = self._proven(component.dimension, used)
        for charge in component.price.charge(billable):
            line = self._charged(
                component, charge, (*working, f"{charge.working} = {exact_text(charge.precise)}", *proof)
            )
            yield replace(line, evidence=used.ranges())

    def _billable(self, component: PriceComponent, used: Totals) -> tuple[Decimal, tuple[str, ...]]:
        """The component's quantity less the allowance, in whole steps, with the working so far."""
        dimension, unit = component.dimension, unit_of(component.dimension)
        rest = quantity(self._quantity(dimension, used))
        working = [f"{dimension}: {plain(rest)} {unit}"]
        if component.included:
            included = self._included(component.included)
            taken = min(included, rest)
            rest -= taken
            working.append(f"{plain(included)} {unit} included, {plain(taken)} used: {plain(rest)} {unit} left to bill")
            self.notes.append(f"{component.heading.code}: {plain(taken)} of {plain(included)} {unit} included")
        if component.step is not None and rest % component.step:
            rest = (rest // component.step + 1) * component.step
            working.append(f"in steps of {plain(component.step)} {unit}: {plain(rest)} {unit}")
        return rest, tuple(working)

    def _included(self, allowance: Allowance) -> Decimal:
        part = self._share(allowance.proration).part
        return allowance.quantity if part == 1 else quantity(Fraction(allowance.quantity) * part)

    def _charged(self, component: PriceComponent, charge: Charge, working: tuple[str, ...]) -> RatedLine:
        line = self._line(component.heading, charge.precise, working)
        unit = "" if charge.quantity is None else charge.unit or unit_of(component.dimension)
        return replace(line, code=line.code + charge.suffix, quantity=charge.quantity, unit=unit, price=charge.price)

    def _adder(self, adder: Adder) -> Iterator[RatedLine]:
        used = self.totals[adder.band]
        hours = quantity(self._quantity(adder.dimension, used))
        if not hours:
            return
        unit, exact = unit_of(adder.dimension), Fraction(hours) * Fraction(adder.amount)
        working = (
            f"{adder.dimension} in band {adder.band}: {plain(hours)} {unit}",
            f"{plain(hours)} × {plain(adder.amount)} = {exact_text(exact)}",
            *self._proven(adder.dimension, used),
        )
        line = self._line(adder.heading, exact, working)
        yield replace(line, quantity=hours, unit=unit, price=adder.amount, evidence=used.ranges())

    def _quantity(self, dimension: str, used: Totals) -> Fraction:
        if not any(part.measures(dimension) for part in self.totals.values()):
            self.notes.append(f"{dimension} is priced, but the usage does not measure it: nothing billed")
        return used.quantity(dimension, self.tariff.wear)

    def _proven(self, dimension: str, used: Totals) -> tuple[str, ...]:
        found = list[str]()
        if is_wear(dimension) and self.tariff.wear and used.spectrum:
            found += wear_working(used.spectrum, self.tariff.wear)
        if used.substitute:
            found.append("includes substitute values for stretches without readings")
        return tuple(found)

    def _share(self, rule: Proration) -> Share:
        return share(rule, self.measured.period, self.measured.covered, self.measured.clock)

    def _line(self, heading: Heading, exact: Fraction, working: tuple[str, ...]) -> RatedLine:
        vat, zero = self.tariff.vat[heading.vat], Money(0, self.tariff.currency)
        rate_ = vat.percent / 100
        return RatedLine(heading.code, heading.description, heading.category, vat.category, rate_, exact, zero, working)


def _first_matches(elements: tuple[Element, ...], totals: dict[str, Totals]) -> dict[str, Totals]:
    """What each component (by code) prices: per band and dimension, the first element that applies and has it."""
    found = {component.heading.code: Totals() for element in elements for component in element.components}
    for band, used in totals.items():
        priced: set[str] = set()
        for element in elements:
            if element.applies(band):
                for component in element.components:
                    if component.dimension not in priced:
                        found[component.heading.code].join(used)
                priced |= {component.dimension for component in element.components}
    return found


def _proof(event: Event) -> tuple[str, ...]:
    told = (f"{event.kind.value} {event.id} at {event.at.isoformat()}", event.description)
    return (*(text for text in told if text), *(f"evidence: {name}" for name in event.evidence))


def _rank(line: RatedLine) -> int:
    """Lease first, then energy, penalties, services, deposits; within these the tariff's order."""
    return 0 if line.category is Category.LEASE_VARIABLE else _ORDER.index(line.category)
