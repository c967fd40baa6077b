"""What the invoice pages show: built from invoice values, without a database."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import quote
from uuid import UUID
from zoneinfo import ZoneInfo

from app.pages.format import NOTHING, State, amount, billed, minute, number, sum_of
from app.security import Viewer
from billing.invoicing.invoice import Invoice, PaymentState, Status, payment_state
from billing.invoicing.line import InvoiceLine, VatSum
from billing.invoicing.metered import Metered
from billing.money import Money
from billing.payments.reference import printed
from metering.usage import Usage


@dataclass(frozen=True, slots=True)
class Row:
    """An invoice in a list."""

    id: UUID
    number: str
    party: str
    period: str
    lines: int
    state: State
    is_open: bool
    due: str
    net: str
    total: str


@dataclass(frozen=True, slots=True)
class ReadingLink:
    meter_id: UUID
    sequence: int
    label: str


@dataclass(frozen=True, slots=True)
class Line:
    description: str
    quantity: str
    unit: str
    price: str
    vat: str
    amount: str
    working: tuple[str, ...]
    readings: tuple[ReadingLink, ...]


@dataclass(frozen=True, slots=True)
class Labelled:
    label: str
    amount: str


@dataclass(frozen=True, slots=True)
class UsageDay:
    """The billed usage of one local day and the readings at its two ends."""

    day: date
    meter: str
    count: int
    program: str
    spindle: str
    km: str
    meter_id: UUID
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class MeterTurn:
    """A meter that the invoice rests on, and its time on the machine where it was replaced or replaces one."""

    serial: str
    since: str
    until: str
    reason: str


@dataclass(frozen=True, slots=True)
class InvoicePage:
    id: UUID
    title: str
    state: State
    seller: str
    buyer: str
    period: str
    due: str
    reference: str
    replayed: bool
    next_step: str
    can_release: bool
    can_pay: bool
    has_evidence: bool
    currency: str
    lines: tuple[Line, ...]
    net: str
    vat: tuple[Labelled, ...]
    total: str
    zone: str
    meters: tuple[MeterTurn, ...]
    usage: tuple[UsageDay, ...]
    usage_link: str


def row(invoice: Invoice, allocated: Money, *, viewer: Viewer, today: date) -> Row:
    """`invoice` in a list that names the other party."""
    other = invoice.buyer if invoice.seller.id == viewer.organisation_id else invoice.seller
    return Row(
        id=invoice.id,
        number=invoice.number or "Draft",
        party=other.name,
        period=_period(invoice),
        lines=len(invoice.lines),
        state=state(invoice, allocated, today=today),
        is_open=_is_open(invoice, allocated),
        due=str(invoice.due_date or NOTHING),
        net=f"{amount(invoice.net)} {invoice.currency}",
        total=f"{amount(invoice.total)} {invoice.currency}",
    )


def state(invoice: Invoice, allocated: Money, *, today: date) -> State:
    """The document's state, and once it is issued the payment's."""
    if invoice.status is not Status.ISSUED:
        return State((invoice.held and "held") or invoice.status.value, "warn" if invoice.held else "")
    paid = payment_state(invoice.total, allocated)
    if paid is PaymentState.PAID:
        return State("paid", "good")
    if invoice.due_date and invoice.due_date < today:
        return State("overdue", "bad")
    return State("partly paid" if paid is PaymentState.PARTLY_PAID else "open", "warn")


def _is_open(invoice: Invoice, allocated: Money) -> bool:
    """Whether somebody is to pay: issued, and not settled in full."""
    return invoice.status is Status.ISSUED and payment_state(invoice.total, allocated) is not PaymentState.PAID


def invoice_page(
    invoice: Invoice,
    allocated: Money,
    *,
    viewer: Viewer,
    metered: Sequence[Metered],
    usage: Sequence[Usage],
    by_card: bool,
    today: date,
) -> InvoicePage:
    """The whole invoice; `metered` are the meters that it rests on.

    `by_card` says whether card payments are set up.
    """
    zone, meters = invoice.terms.machine_zone, {each.serial: each.fitting.meter.id for each in metered}
    open_to_buyer = _is_open(invoice, allocated) and invoice.buyer.id == viewer.organisation_id
    releasable = invoice.status in (Status.DRAFT, Status.REVIEW) and invoice.seller.id == viewer.organisation_id
    return InvoicePage(
        id=invoice.id,
        title=f"Invoice {invoice.number}" if invoice.number else "Draft invoice",
        state=state(invoice, allocated, today=today),
        seller=invoice.seller.name,
        buyer=invoice.buyer.name,
        period=_period(invoice),
        due=str(invoice.due_date or ""),
        reference=invoice.reference or "",
        replayed=invoice.replayed,
        next_step=_next_step(invoice, releasable=releasable, payable=open_to_buyer, by_card=by_card),
        can_release=releasable and invoice.held is None,
        can_pay=open_to_buyer and by_card and invoice.total.minor > 0,
        has_evidence=invoice.status is Status.ISSUED,
        currency=invoice.currency,
        lines=tuple(_line(line, meters) for line in invoice.lines),
        net=amount(invoice.net),
        vat=tuple(_vat(part) for part in invoice.vat),
        total=amount(invoice.total),
        zone=zone,
        meters=tuple(_turn(each, zone) for each in metered),
        usage=usage_days(usage, zone=zone, meters=meters),
        usage_link=_usage_link(invoice, meters),
    )


def _usage_link(invoice: Invoice, meters: Mapping[str, UUID]) -> str:
    """Where the meter's usage of the period is shown as it was known when the invoice was worked out."""
    if not meters:
        return ""
    start, end = (quote(each.isoformat()) for each in (invoice.period.start, invoice.period.end))
    known = f"&known_on={quote(invoice.known_at.isoformat())}" if invoice.known_at else ""
    return f"/meters/{next(iter(meters.values()))}/usage?start={start}&end={end}{known}"


def _turn(metered: Metered, zone: str) -> MeterTurn:
    fitting = metered.fitting
    since, until = (minute(moment, zone) if moment else "" for moment in (fitting.since, fitting.until))
    return MeterTurn(metered.serial, since, until, fitting.reason)


def usage_days(usage: Iterable[Usage], *, zone: str, meters: Mapping[str, UUID]) -> tuple[UsageDay, ...]:
    """Usage in which the machine ran, by local day and meter."""
    clock = ZoneInfo(zone)
    days: dict[tuple[date, str], list[Usage]] = {}
    for part in usage:
        if sum_of(part.deltas, "program_run") or part.deltas.get("spindle_on"):
            days.setdefault((part.period.start.astimezone(clock).date(), part.meter), []).append(part)
    # In order of time: on the day of a change the old meter's row comes first.
    ordered = sorted(days.items(), key=lambda entry: (entry[0][0], entry[1][0].period))
    return tuple(_usage_day(day, parts, meters) for (day, _), parts in ordered)


def _usage_day(day: date, parts: list[Usage], meters: Mapping[str, UUID]) -> UsageDay:
    program, spindle, travel = (
        sum(sum_of(part.deltas, name) if name == "travel" else part.deltas.get(name, 0) for part in parts)
        for name in ("program_run", "spindle_on", "travel")
    )
    return UsageDay(
        day=day,
        meter=parts[0].meter,
        count=len(parts),
        program=billed("program_run", program),
        spindle=billed("spindle_on", spindle),
        km=billed("travel.X", travel, 3),
        meter_id=meters[parts[0].meter],
        first=min(part.evidence[0] for part in parts),
        last=max(part.evidence[1] for part in parts),
    )


def _line(line: InvoiceLine, meters: Mapping[str, UUID]) -> Line:
    links = [
        ReadingLink(meters[part.meter], sequence, str(sequence))
        for part in line.evidence[:1] + line.evidence[-1:]
        for sequence in (part.first, part.last)
        if part.meter in meters
    ]
    ends = links[:1] + links[-1:]
    return Line(
        description=line.description,
        quantity=number(line.quantity),
        unit="" if line.unit == "1" else line.unit,
        price=number(line.price),
        vat=f"{(line.vat_rate * 100).normalize():f} %",
        amount=amount(line.amount),
        working=line.working,
        readings=tuple(dict.fromkeys(ends)),
    )


def _vat(part: VatSum) -> Labelled:
    return Labelled(f"VAT {(part.rate * 100).normalize():f} % on {amount(part.net)}", amount(part.tax))


def _period(invoice: Invoice) -> str:
    zone = invoice.terms.machine_zone
    return f"{minute(invoice.period.start, zone)} to {minute(invoice.period.end, zone)}"


def _next_step(invoice: Invoice, *, releasable: bool, payable: bool, by_card: bool) -> str:
    if invoice.held:
        return f"Held: {invoice.held}"
    if releasable:
        return "Check the lines, then release: the invoice gets its number and is posted to the ledger."
    if payable:
        way = "Pay by card, or transfer" if by_card else "Transfer"
        return f"{way} {invoice.total} with the reference {printed(invoice.reference or '')}."
    if invoice.status is Status.ISSUED:
        return "Keep the document, or recompute every cent offline from the evidence with spindleshare verify."
    return "Nothing to do."


def as_of(now: datetime, zone: str) -> date:
    """Today in `zone`."""
    return now.astimezone(ZoneInfo(zone)).date()
