"""Make an invoice's evidence bundle from what is stored."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from billing.capacity.lease_use import machine_uses
from billing.capacity.machine_use import of_lease
from billing.capacity.store import LeasingStore
from billing.invoicing.evidence import Case, bundle
from billing.invoicing.evidence_json import CaseGap, CaseMeter
from billing.invoicing.invoice import Invoice, Status
from billing.invoicing.metered import Metered, meters_of
from billing.invoicing.store import InvoiceStore
from billing.pricing.store import TariffStore
from metering.audit import audit
from metering.evidence import evidence_for
from metering.period import Period
from metering.signing import PrivateKey
from metering.store import MeteringStore


class NotIssued(ValueError):
    """Only an issued invoice has evidence: a draft may still change."""


@dataclass(slots=True)
class _Readings:
    """Sealed texts, those before them, accepted gaps in their chains, and the time that the texts speak of."""

    span: Period
    texts: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    gaps: list[CaseGap] = field(default_factory=list)


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
    meters = meters_of(invoice, leasing=leasing, metering=metering)
    found = _readings(invoice, meters, metering, leasing)
    machines = dict.fromkeys(each.machine_id for each in meters)
    case = Case(
        invoice=invoice,
        tariff=tariffs.version(lease.tariff_version_id),
        lease=lease,
        meters=tuple(CaseMeter(m.machine_id, m.serial, m.fitting.since, m.fitting.until) for m in meters),
        bookings=tuple(
            booking
            for machine in machines
            for booking in leasing.bookings_of_machine(machine, found.span, known_at=invoice.known_at)
        ),
        facts=tuple(leasing.facts_of(lease.id, invoice.period, known_at=invoice.known_at)),
        texts=tuple(found.texts),
        texts_before=tuple(found.before),
        billed=_before(invoice, invoicing),
        gaps=tuple(found.gaps),
    )
    return bundle(case, key)


def _readings(invoice: Invoice, meters: Sequence[Metered], metering: MeteringStore, leasing: LeasingStore) -> _Readings:
    """The sealed texts of the lease's use, meter after meter, with what belongs to them."""
    lease, period = leasing.lease(invoice.lease), invoice.period
    uses = machine_uses(lease, period, leasing=leasing, metering=metering, known_at=invoice.known_at)
    mine = of_lease(lease.id, uses)
    all_of = _Readings(period)
    inside: list[Period] = []
    for each in meters:
        own = [row for row in mine if row.meter == each.serial]
        if not own:
            continue
        found = evidence_for(each.fitting.meter.id, own, store=metering)
        told = audit(found.texts, keys=found.keys, earlier=found.earlier, passed=found.passed).usage
        all_of.texts += found.texts
        all_of.before += found.earlier
        all_of.gaps += [CaseGap(each.serial, gap) for gap in found.passed]
        inside += [row.period for row in told if period.covers(row.period) and each.fitting.counts(row)]
    if inside:
        all_of.span = Period(min(row.start for row in inside), max(row.end for row in inside))
    return all_of


def _before(invoice: Invoice, invoicing: InvoiceStore) -> tuple[Invoice, ...]:
    """The invoices issued before this one for the same lease and period."""
    earlier = invoicing.billed(invoice.lease, invoice.period)
    return tuple(one for one in earlier if one.status is Status.ISSUED and one.ordinal < invoice.ordinal)
