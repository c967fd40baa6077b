"""From a rated bill to the draft of an invoice (pure)."""

from datetime import datetime

from billing.capacity.lease import Lease
from billing.invoicing.invoice import Invoice, Party, Status, Terms
from billing.invoicing.line import from_rated
from billing.pricing.rated import RatedBill
from metering.parties.party import Organisation


def draft(
    bill: RatedBill,
    lease: Lease,
    *,
    seller: Organisation,
    buyer: Organisation,
    machine: str,
    replayed: bool,
    known_at: datetime | None = None,
) -> Invoice:
    """The whole of `bill` as a draft with ordinal 0, for `owed` to compare with what is billed."""
    return Invoice(
        lease=lease.id,
        period=bill.period,
        ordinal=0,
        status=Status.DRAFT,
        seller=party(seller),
        buyer=party(buyer),
        currency=bill.currency,
        lines=tuple(from_rated(line) for line in bill.lines),
        terms=Terms(bill.tariff, bill.version, bill.tariff_digest, bill.rounding.value, machine, bill.zone),
        replayed=replayed,
        known_at=known_at,
    )


def party(organisation: Organisation) -> Party:
    """The organisation as it stands now, copied for the invoice."""
    town = f"{organisation.postcode} {organisation.city}".strip()
    return Party(
        id=organisation.id,
        name=organisation.name,
        address=tuple(row for row in (organisation.street, town) if row),
        country=organisation.country,
        tax_number=organisation.vat_id,
        email=organisation.email,
        bank_account=organisation.iban,
        zone=organisation.zone,
    )
