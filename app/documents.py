"""What leaves the service as a file: the invoice's PDF and its evidence, composed from every room's stores.

Needs the worker's role and a viewer who was checked: a bill's evidence also names the slots that bound it.
"""

from app.database import Session
from billing.capacity.attribution import attribute
from billing.capacity.lease import Lease
from billing.capacity.store import LeasingStore
from billing.invoicing.bundle import make_bundle
from billing.invoicing.invoice import Invoice
from billing.invoicing.print_invoice import print_invoice
from billing.invoicing.store import InvoiceStore
from billing.pricing.store import TariffStore
from metering.signing import PrivateKey
from metering.store import MeteringStore
from metering.usage import Usage


def lease_usage(session: Session, invoice: Invoice) -> tuple[Lease, list[Usage]]:
    """The invoice's lease and the quarter hours that it answers for, as known when it was worked out."""
    leasing = LeasingStore(session)
    lease = leasing.lease(invoice.lease)
    usage = MeteringStore(session).usage(lease.meter_id, invoice.period, known_at=invoice.known_at)
    bookings = leasing.bookings_of_machine(lease.machine_id, invoice.period)
    return lease, attribute(usage, bookings).of_lease(lease.id)


def pdf(session: Session, invoice: Invoice, *, language: str = "en") -> bytes:
    """The invoice as PDF, with a page of the meter's readings and days."""
    return print_invoice(
        invoice.id,
        invoicing=InvoiceStore(session),
        leasing=LeasingStore(session),
        metering=MeteringStore(session),
        language=language,
    )


def evidence(session: Session, invoice: Invoice, key: PrivateKey) -> bytes:
    """The bundle from which `spindleshare verify` recomputes an issued invoice."""
    return make_bundle(
        invoice.id,
        key=key,
        invoicing=InvoiceStore(session),
        metering=MeteringStore(session),
        leasing=LeasingStore(session),
        tariffs=TariffStore(session),
    )
