"""Make an invoice's evidence bundle from what is stored."""

from uuid import UUID

from billing.capacity.attribution import attribute
from billing.capacity.store import LeasingStore
from billing.invoicing.evidence import Case, bundle
from billing.invoicing.invoice import Invoice, Status
from billing.invoicing.store import InvoiceStore
from billing.pricing.store import TariffStore
from metering.audit import audit
from metering.evidence import evidence_for
from metering.period import Period
from metering.signing import PrivateKey
from metering.store import MeteringStore


class NotIssued(ValueError):
    """Only an issued invoice has evidence: a draft may still change."""


def make_bundle(
    invoice_id: UUID,
    *,
    key: PrivateKey,
    invoicing: InvoiceStore,
    metering: MeteringStore,
    leasing: LeasingStore,
    tariffs: TariffStore,
) -> bytes:
    """The ZIP of an issued invoice, signed with the platform's `key`. Needs the worker's role.

    Readings are those from the first to the last quarter hour that the invoice bills. Raises UnknownInvoice, NotIssued.
    """
    invoice = invoicing.get(invoice_id)
    if invoice.status is not Status.ISSUED:
        raise NotIssued(f"invoice {invoice_id} is {invoice.status.value}: issue it first")
    lease = leasing.lease(invoice.lease)
    texts, before, span = _readings(invoice, metering, leasing)
    case = Case(
        invoice=invoice,
        tariff=tariffs.version(lease.tariff_version_id),
        lease=lease,
        bookings=tuple(leasing.bookings_of_machine(lease.machine_id, span, known_at=invoice.known_at)),
        facts=tuple(leasing.facts_of(lease.id, invoice.period, known_at=invoice.known_at)),
        texts=texts,
        texts_before=before,
        billed=_before(invoice, invoicing),
    )
    return bundle(case, key)


def _readings(
    invoice: Invoice, metering: MeteringStore, leasing: LeasingStore
) -> tuple[tuple[str, ...], tuple[str, ...], Period]:
    """The sealed texts of the lease's use, those before them, and the time that the texts speak of."""
    lease, period = leasing.lease(invoice.lease), invoice.period
    usage = metering.usage(lease.meter_id, period, known_at=invoice.known_at)
    bookings = leasing.bookings_of_machine(lease.machine_id, period, known_at=invoice.known_at)
    mine = attribute(usage, bookings).of_lease(lease.id)
    if not mine:
        return (), (), period
    found = evidence_for(lease.meter_id, mine, store=metering)
    told = audit(found.texts, keys=found.keys, earlier=found.earlier).usage
    inside = [row.period for row in told if period.covers(row.period)]
    span = Period(min(row.start for row in inside), max(row.end for row in inside)) if inside else period
    return found.texts, found.earlier, span


def _before(invoice: Invoice, invoicing: InvoiceStore) -> tuple[Invoice, ...]:
    """The invoices issued before this one for the same lease and period."""
    earlier = invoicing.billed(invoice.lease, invoice.period)
    return tuple(one for one in earlier if one.status is Status.ISSUED and one.ordinal < invoice.ordinal)
