"""What leaves the service as a file: the invoice's PDF and its evidence, composed from every room's stores.

Needs the worker's role and a viewer who was checked: a bill's evidence also names the slots that bound it.
"""

from app.database import Session
from billing.capacity.lease_use import machine_uses
from billing.capacity.machine_use import of_lease
from billing.capacity.store import LeasingStore
from billing.invoicing.bundle import make_bundle
from billing.invoicing.invoice import Invoice
from billing.invoicing.metered import Metered, meters_of
from billing.invoicing.print_invoice import print_invoice
from billing.invoicing.store import InvoiceStore
from billing.pricing.store import TariffStore
from metering.signing import PrivateKey
from metering.store import MeteringStore
from metering.usage import Usage


def lease_usage(session: Session, invoice: Invoice) -> tuple[list[Metered], list[Usage]]:
    """The meters that the invoice rests on, and the quarter hours that it answers for, as known when worked out."""
    leasing, metering = LeasingStore(session), MeteringStore(session)
    lease = leasing.lease(invoice.lease)
    uses = machine_uses(lease, invoice.period, leasing=leasing, metering=metering, known_at=invoice.known_at)
    return meters_of(invoice, leasing=leasing, metering=metering), of_lease(lease.id, uses)


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
