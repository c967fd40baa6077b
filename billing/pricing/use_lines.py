"""Lines for use: components, first match per band and dimension, and the adders on top."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from billing.money import quantity
from billing.pricing.components import Adder, Allowance, Element, PriceComponent
from billing.pricing.digits import exact_text, plain
from billing.pricing.dimensions import is_wear, unit_of
from billing.pricing.price_models import Charge
from billing.pricing.rated import RatedLine
from billing.pricing.rating_run import Run
from billing.pricing.totals import NO_BAND, Totals
from billing.pricing.wear_terms import wear_working


def use_lines(run: Run) -> Iterator[RatedLine]:
    """Each component's lines, and after the last component of a dimension the adders on it."""
    _note_unpriced(run)
    components = [component for element in run.tariff.elements for component in element.components]
    found = _first_matches(run.tariff.elements, run.totals)
    adders = list(run.tariff.adders)
    for index, component in enumerate(components):
        yield from _component(run, component, found[component.heading.code])
        if all(later.dimension != component.dimension for later in components[index + 1 :]):
            for adder in [adder for adder in adders if adder.dimension == component.dimension]:
                adders.remove(adder)
                yield from _adder(run, adder)
    for adder in adders:
        yield from _adder(run, adder)


def _note_unpriced(run: Run) -> None:
    """Use in no band, of a dimension that has prices in bands only, cannot be billed: say so."""
    untimed = run.totals.get(NO_BAND)
    if untimed is None or not run.tariff.bands:
        return
    always = {part.dimension for element in run.tariff.elements if not element.bands for part in element.components}
    for dimension in dict.fromkeys(part.dimension for element in run.tariff.elements for part in element.components):
        used = untimed.quantity(dimension, run.tariff.wear) if dimension not in always else 0
        if used:
            amount = f"{plain(quantity(used))} {unit_of(dimension)}"
            run.notes.append(
                f"{dimension}: {amount} timed by such a clock, and priced by time of use only: nothing billed"
            )


def _component(run: Run, component: PriceComponent, used: Totals) -> Iterator[RatedLine]:
    billable, working = _billable(run, component, used)
    proof = _proven(run, component.dimension, used)
    for charge in component.price.charge(billable):
        line = _charged(run, component, charge, (*working, f"{charge.working} = {exact_text(charge.precise)}", *proof))
        yield replace(line, evidence=used.ranges())


def _billable(run: Run, component: PriceComponent, used: Totals) -> tuple[Decimal, tuple[str, ...]]:
    """The component's quantity less the allowance, in whole steps, with the working so far."""
    dimension, unit = component.dimension, unit_of(component.dimension)
    exact = _quantity(run, dimension, used)
    rest = quantity(exact)
    working = [f"{dimension}: {plain(rest)} {unit}"]
    if component.included:
        included = _included(run, component.included)
        taken = min(included, rest)
        rest, exact = rest - taken, max(exact - Fraction(included), Fraction(0))
        working.append(f"{plain(included)} {unit} included, {plain(taken)} used: {plain(rest)} {unit} left to bill")
        run.notes.append(f"{component.heading.code}: {plain(taken)} of {plain(included)} {unit} included")
    if component.step is not None and exact % component.step:
        # From the exact quantity: rounding first could cross a step's border.
        rest = quantity((exact // component.step + 1) * component.step)
        working.append(f"in steps of {exact_text(component.step)} {unit}: {plain(rest)} {unit}")
    return rest, tuple(working)


def _included(run: Run, allowance: Allowance) -> Decimal:
    part = run.share(allowance.proration).part
    return allowance.quantity if part == 1 else quantity(Fraction(allowance.quantity) * part)


def _charged(run: Run, component: PriceComponent, charge: Charge, working: tuple[str, ...]) -> RatedLine:
    line = run.line(component.heading, charge.precise, working)
    unit = "" if charge.quantity is None else charge.unit or unit_of(component.dimension)
    return replace(line, code=line.code + charge.suffix, quantity=charge.quantity, unit=unit, price=charge.price)


def _adder(run: Run, adder: Adder) -> Iterator[RatedLine]:
    used = run.totals[adder.band]
    hours = quantity(_quantity(run, adder.dimension, used))
    if not hours:
        return
    unit, exact = unit_of(adder.dimension), Fraction(hours) * Fraction(adder.amount)
    working = (
        f"{adder.dimension} in band {adder.band}: {plain(hours)} {unit}",
        f"{plain(hours)} × {plain(adder.amount)} = {exact_text(exact)}",
        *_proven(run, adder.dimension, used),
    )
    line = run.line(adder.heading, exact, working)
    yield replace(line, quantity=hours, unit=unit, price=adder.amount, evidence=used.ranges())


def _quantity(run: Run, dimension: str, used: Totals) -> Fraction:
    if not any(part.measures(dimension) for part in run.totals.values()):
        run.notes.append(f"{dimension} is priced, but the usage does not measure it: nothing billed")
    return used.quantity(dimension, run.tariff.wear)


def _proven(run: Run, dimension: str, used: Totals) -> tuple[str, ...]:
    found = list[str]()
    if is_wear(dimension) and run.tariff.wear and used.spectrum:
        found += wear_working(used.spectrum, run.tariff.wear)
    if used.substitute:
        found.append("includes substitute values for stretches without readings")
    if used.unsynchronised and run.tariff.bands:
        found.append("includes use timed by a clock not known to be right, priced without time of use")
    return tuple(found)


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
