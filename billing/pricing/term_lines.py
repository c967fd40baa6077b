"""Lines for a contract's terms: fees, availability credit, priced events, minimum and maximum."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from billing.money import Money, total
from billing.pricing.digits import exact_text, plain, shown_text
from billing.pricing.fees import Bound, Fee
from billing.pricing.measured import Event
from billing.pricing.rated import RatedLine
from billing.pricing.rating_run import Run
from billing.pricing.tariff import Rounding


def base_fee(run: Run) -> Iterator[RatedLine]:
    if run.tariff.base_fee:
        yield from _fee(run, run.tariff.base_fee)


def fees(run: Run) -> Iterator[RatedLine]:
    for fee in run.tariff.fees:
        yield from _fee(run, fee)


def credit(run: Run) -> Iterator[RatedLine]:
    """Availability credit: a share of the base fee as it was billed."""
    terms, actual, fee = run.tariff.availability_credit, run.measured.availability_percent, run.tariff.base_fee
    if not terms or not fee:
        return
    if actual is None:
        run.notes.append("availability is not known: no credit was worked out")
        return
    points, percent = terms.percent(actual)
    if not percent:
        return
    base = Money.of(fee.amount * run.share(fee.proration).part, run.tariff.currency)
    exact = -Fraction(base.decimal) * Fraction(percent) / 100
    yield run.line(
        terms.heading,
        exact,
        (
            f"guaranteed {plain(terms.guaranteed_percent)} %, actual {plain(actual)} %: {points} points below",
            f"{points} × {plain(terms.step_percent)} %, at most {plain(terms.cap_percent)} %: {plain(percent)} %",
            f"{plain(percent)} % of the base fee {plain(base.decimal)} = {shown_text(-exact)}",
        ),
    )


def events(run: Run) -> Iterator[RatedLine]:
    charges = {charge.on: charge for charge in run.tariff.charges}
    for event in sorted(run.measured.events, key=lambda event: (event.at, event.id)):
        charge = charges.get(event.kind)
        price = charge.price if charge and charge.price is not None else event.price
        if charge is None or price is None:
            run.notes.append(f"{event.kind.value} {event.id} has no price in the tariff: nothing billed")
            continue
        exact = Fraction(event.quantity) * Fraction(price)
        working = f"{plain(event.quantity)} × {plain(price)} = {exact_text(exact)}"
        line = run.line(charge.heading, exact, (working, *_proof(event)))
        yield replace(line, quantity=event.quantity, unit=charge.unit, price=price)


def bounds(run: Run, lines: list[RatedLine]) -> Iterator[RatedLine]:
    """The top-up to the minimum, or the reduction to the maximum, as a line of its own."""
    if run.tariff.minimum:
        yield from _bound(run, run.tariff.minimum, lines, sign=1)
    if run.tariff.maximum:
        yield from _bound(run, run.tariff.maximum, lines, sign=-1)


def _bound(run: Run, bound: Bound, lines: list[RatedLine], sign: int) -> Iterator[RatedLine]:
    part = run.share(bound.proration)
    limit = Money.of(Fraction(bound.amount) * part.part, run.tariff.currency)
    covered = _sum(run, [line.exact for line in lines if line.category in bound.covers])
    exact = Fraction(limit.decimal) - covered
    if exact * sign <= 0:
        return
    name = "minimum" if sign > 0 else "maximum"
    covers = " + ".join(bound.covers)
    yield run.line(
        bound.heading,
        exact,
        (
            f"{name} {plain(bound.amount)}, {part.working}: {plain(limit.decimal)}",
            f"{covers} come to {shown_text(covered)}; difference {shown_text(exact)}",
        ),
    )


def _sum(run: Run, exacts: list[Fraction]) -> Fraction:
    if run.tariff.rounding is Rounding.SUM:
        return sum(exacts, Fraction(0))
    currency = run.tariff.currency
    return Fraction(total([Money.of(exact, currency) for exact in exacts], currency).decimal)


def _fee(run: Run, fee: Fee) -> Iterator[RatedLine]:
    part = run.share(fee.proration)
    if not part.part:
        return
    exact = fee.amount * part.part
    parts = [f"{entry.description}: {plain(entry.amount)}" for entry in fee.parts]
    yield run.line(fee.heading, exact, (*parts, f"{exact_text(fee.amount)}, {part.working}: {shown_text(exact)}"))


def _proof(event: Event) -> tuple[str, ...]:
    told = (f"{event.kind.value} {event.id} at {event.at.isoformat()}", event.description)
    return (*(text for text in told if text), *(f"evidence: {name}" for name in event.evidence))
