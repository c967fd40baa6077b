"""Print an invoice: its document with the meter's readings, as they were known when it was rated."""

from datetime import date, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from billing.capacity.attribution import attribute
from billing.capacity.store import LeasingStore
from billing.invoicing.document import document
from billing.invoicing.document_pdf import invoice_pdf
from billing.invoicing.invoice import Invoice
from billing.invoicing.meter_page import Day, MeterPage
from billing.invoicing.store import InvoiceStore
from metering.store import MeteringStore
from metering.usage import Usage


def print_invoice(
    invoice_id: UUID, *, invoicing: InvoiceStore, leasing: LeasingStore, metering: MeteringStore, language: str = "en"
) -> bytes:
    """The invoice as PDF; the same issued invoice gives the same bytes.

    Needs the worker's role, since other parties' bookings bound this one's: check first that the user may see it.
    Raises UnknownInvoice, UnknownLanguage, DocumentError.
    """
    invoice = invoicing.get(invoice_id)
    pages = meter_pages(invoice, leasing=leasing, metering=metering)
    return invoice_pdf(invoice, document(invoice, pages, language=language))


def meter_pages(invoice: Invoice, *, leasing: LeasingStore, metering: MeteringStore) -> list[MeterPage]:
    """The page of the lease's meter; none when the invoice rests on no reading."""
    lease = leasing.lease(invoice.lease)
    named = [item for line in invoice.lines for item in line.evidence if item.meter == lease.meter_serial]
    if not named:
        return []
    opening = metering.reading(lease.meter_id, min(item.first for item in named))
    closing = metering.reading(lease.meter_id, max(item.last for item in named))
    if opening is None or closing is None:
        return []
    usage = metering.usage(lease.meter_id, invoice.period, known_at=invoice.known_at)
    bookings = leasing.bookings_of_machine(lease.machine_id, invoice.period)
    own = attribute(usage, bookings).of_lease(lease.id)
    zone = ZoneInfo(invoice.terms.machine_zone)
    model = metering.machine(lease.machine_id).model
    return [MeterPage(lease.meter_serial, model, opening, closing, _total(own), _days(invoice, own, zone))]


def _total(usage: list[Usage]) -> dict[str, int]:
    total: dict[str, int] = {}
    for row in usage:
        for code, grown in row.deltas.items():
            total[code] = total.get(code, 0) + grown
    return total


def _days(invoice: Invoice, usage: list[Usage], zone: ZoneInfo) -> tuple[Day, ...]:
    """Every local day of the service period, idle ones too."""
    first = invoice.period.start.astimezone(zone).date()
    last = (invoice.period.end - timedelta(microseconds=1)).astimezone(zone).date()
    sums: dict[date, list[int]] = {first + timedelta(days=n): [0, 0] for n in range((last - first).days + 1)}
    for row in usage:
        day = sums[row.period.start.astimezone(zone).date()]
        day[0] += row.deltas.get("power_on", 0)
        day[1] += row.deltas.get("spindle_on", 0)
    return tuple(Day(day, power_on, spindle_on) for day, (power_on, spindle_on) in sums.items())
