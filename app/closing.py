"""Closing and issuing on the service's database: the transactions around the verbs, shared by command, job and demo."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from app.database import Database, Role, Session
from billing.accounting.store import LedgerStore
from billing.capacity.store import LeasingStore
from billing.invoicing import close_period
from billing.invoicing.close_period import Closing
from billing.invoicing.invoice import Invoice
from billing.invoicing.issue_invoice import issue_invoice
from billing.invoicing.store import InvoiceStore
from billing.pricing.store import TariffStore
from metering.parties.store import PartyStore
from metering.period import Period
from metering.store import MeteringStore


def close(database: Database, period: Period, *, now: datetime, lessor: UUID | None = None) -> Closing:
    """Close `period` for all leases, or those of one lessor, in one transaction."""
    with database.transaction(Role.WORKER) as session:
        return close_in(session, period, now=now, lessor=lessor)


def close_in(session: Session, period: Period, *, now: datetime, lessor: UUID | None = None) -> Closing:
    """Close `period` within the session's transaction."""
    return close_period.close_period(
        period,
        metering=MeteringStore(session),
        leasing=LeasingStore(session),
        tariffs=TariffStore(session),
        parties=PartyStore(session),
        invoicing=InvoiceStore(session),
        now=now,
        lessor=lessor,
    )


def issue(database: Database, drafts: Iterable[UUID], *, now: datetime) -> list[Invoice]:
    """Issue these invoices in the given order, one transaction each, so that no number waits for another's."""
    issued = []
    for draft in drafts:
        with database.transaction(Role.WORKER) as session:
            issued.append(issue_invoice(draft, invoicing=InvoiceStore(session), ledger=LedgerStore(session), now=now))
    return issued
