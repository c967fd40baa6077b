"""What leaves the service as a file: the invoice's PDF and its evidence, composed from every room's stores.

Needs the worker's role and a viewer who was checked: a bill's evidence also names the slots that bound it.
"""

from datetime import date
from zoneinfo import ZoneInfo

from app.database import Session
from billing.capacity.attribution import attribute
from billing.capacity.lease import Lease
from billing.capacity.store import LeasingStore
from billing.invoicing.document import document
from billing.invoicing.document_pdf import invoice_pdf
from billing.invoicing.evidence import Case, bundle
from billing.invoicing.invoice import Invoice, Status
from billing.invoicing.meter_page import Day, MeterPage
from billing.invoicing.store import InvoiceStore
from billing.pricing.store import TariffStore
from metering.evidence import evidence_for
from metering.signing import PrivateKey
from metering.store import MeteringStore
from metering.usage import Usage


def lease_usage(session: Session, invoice: Invoice) -> tuple[Lease, list[Usage]]:
    """The invoice's lease and the quarter hours that it answers for, as known when it was issued."""
    leasing = LeasingStore(session)
    lease = leasing.lease(invoice.lease)
    usage = MeteringStore(session).usage(lease.meter_id, invoice.period, known_at=invoice.issued_at)
    bookings = leasing.bookings_of_machine(lease.machine_id, invoice.period)
    return lease, attribute(usage, bookings).of_lease(lease.id)


def pdf(session: Session, invoice: Invoice) -> bytes:
    """The invoice as PDF, with a page of the meter's readings and days."""
    lease, usage = lease_usage(session, invoice)
    return invoice_pdf(invoice, document(invoice, _meter_pages(session, lease, usage)))


def evidence(session: Session, invoice: Invoice, key: PrivateKey) -> bytes:
    """The bundle from which `spindleshare verify` recomputes the invoice."""
    lease, usage = lease_usage(session, invoice)
    leasing = LeasingStore(session)
    proof = evidence_for(lease.meter_id, usage, store=MeteringStore(session)) if usage else None
    billed = InvoiceStore(session).billed(invoice.lease, invoice.period)
    earlier = [other for other in billed if other.ordinal < invoice.ordinal and other.status is Status.ISSUED]
    case = Case(
        invoice=invoice,
        tariff=TariffStore(session).version(lease.tariff_version_id),
        lease=lease,
        bookings=tuple(leasing.bookings_of_machine(lease.machine_id, invoice.period)),
        facts=tuple(leasing.facts_of(lease.id, invoice.period)),
        texts=proof.texts if proof else (),
        texts_before=proof.earlier if proof else (),
        billed=tuple(earlier),
    )
    return bundle(case, key)


def _meter_pages(session: Session, lease: Lease, usage: list[Usage]) -> list[MeterPage]:
    if not usage:
        return []
    store = MeteringStore(session)
    opening = store.reading(lease.meter_id, min(row.evidence[0] for row in usage))
    closing = store.reading(lease.meter_id, max(row.evidence[1] for row in usage))
    if opening is None or closing is None:
        return []
    model = store.machine(lease.machine_id).model
    return [MeterPage(lease.meter_serial, model, opening, closing, _days(usage, lease.zone))]


def _days(usage: list[Usage], zone: str) -> tuple[Day, ...]:
    clock = ZoneInfo(zone)
    sums: dict[date, tuple[int, int]] = {}
    for row in usage:
        day = row.period.start.astimezone(clock).date()
        power, spindle = sums.get(day, (0, 0))
        sums[day] = (power + row.deltas.get("power_on", 0), spindle + row.deltas.get("spindle_on", 0))
    return tuple(Day(day, *found) for day, found in sorted(sums.items()))
