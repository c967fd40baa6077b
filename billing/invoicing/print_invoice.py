"""Print an invoice: its document with the meter's readings, as they were known when it was rated."""

from datetime import date, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from billing.capacity.lease_use import machine_uses
from billing.capacity.machine_use import of_lease
from billing.capacity.store import LeasingStore
from billing.invoicing.document import document
from billing.invoicing.document_pdf import invoice_pdf
from billing.invoicing.invoice import Invoice
from billing.invoicing.meter_page import Day, MeterPage
from billing.invoicing.metered import Metered, meters_of
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
    """A page of each meter that the invoice rests on, in order of time; none when it rests on no reading."""
    lease = leasing.lease(invoice.lease)
    uses = machine_uses(lease, invoice.period, leasing=leasing, metering=metering, known_at=invoice.known_at)
    own = of_lease(lease.id, uses)
    pages = (
        _page(invoice, each, [row for row in own if row.meter == each.serial], metering)
        for each in meters_of(invoice, leasing=leasing, metering=metering)
    )
    return [page for page in pages if page]


def _page(invoice: Invoice, metered: Metered, own: list[Usage], metering: MeteringStore) -> MeterPage | None:
    meter = metered.fitting.meter
    named = [item for line in invoice.lines for item in line.evidence if item.meter == meter.serial]
    if not named:
        return None
    opening = metering.reading(meter.id, min(item.first for item in named))
    closing = metering.reading(meter.id, max(item.last for item in named))
    if opening is None or closing is None:
        return None
    days = _days(invoice, own, ZoneInfo(invoice.terms.machine_zone))
    model = metering.machine(metered.machine_id).model
    fitting = metered.fitting
    return MeterPage(
        meter.serial, model, opening, closing, _total(own), days, fitting.since, fitting.until, fitting.reason
    )


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
