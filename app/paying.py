"""Money coming in on the service's database: the transactions around the verbs, shared by API, pages, jobs and demo."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.database import Database, Role
from app.settings import Settings
from billing.accounting.store import LedgerStore
from billing.invoicing.store import InvoiceStore
from billing.payments.import_statement import ImportedStatement, import_statement
from billing.payments.match_transactions import (
    Matched,
    Proposed,
    confirm_match,
    match_automatically,
    propose_matches,
    undo_match,
)
from billing.payments.pull_events import Pulled, pull_events
from billing.payments.receive_event import EventReceipt, receive_event
from billing.payments.start_checkout import start_checkout
from billing.payments.store import PaymentStore
from billing.payments.stripe_gateway import StripeGateway

_LOOK_BACK = timedelta(days=3)
"""How long Stripe itself tries to deliver a webhook."""


class NoCardPayments(Exception):
    """Card payments are not set up: set SPINDLESHARE_STRIPE_KEY and SPINDLESHARE_STRIPE_WEBHOOK_SECRET."""


@dataclass(frozen=True, slots=True)
class Statements:
    """What an upload brought, what it settled at once, and what waits for a person."""

    imported: tuple[ImportedStatement, ...]
    matched: tuple[Matched, ...]
    proposed: tuple[Proposed, ...]


def gateway_of(settings: Settings) -> StripeGateway | None:
    """The door to Stripe, or to the stand-in that the settings name; None where card payments are not set up."""
    if not settings.stripe_key.get_secret_value():
        return None
    return StripeGateway(
        settings.stripe_key.get_secret_value(),
        webhook_secret=settings.stripe_webhook_secret.get_secret_value(),
        base=settings.stripe_base,
    )


def checkout_url(
    database: Database, gateway: StripeGateway | None, invoice: UUID, *, payer: UUID, base_url: str, now: datetime
) -> str:
    """Where `payer` pays the invoice by card; the way back leads to the invoice's page. Raises as start_checkout."""
    if gateway is None:
        raise NoCardPayments(NoCardPayments.__doc__)
    with database.transaction(Role.APP, party=payer) as session:
        return start_checkout(
            invoice,
            invoicing=InvoiceStore(session),
            payments=PaymentStore(session),
            gateway=gateway,
            return_to=f"{base_url}/invoices/{invoice}",
            now=now,
        )


def take_webhook(
    database: Database, gateway: StripeGateway | None, payload: bytes, signature: str, *, now: datetime
) -> EventReceipt:
    """Take an event that the card provider sent, in one transaction. Raises as receive_event."""
    if gateway is None:
        raise NoCardPayments(NoCardPayments.__doc__)
    with database.transaction(Role.WORKER) as session:
        return receive_event(
            payload,
            signature,
            invoicing=InvoiceStore(session),
            payments=PaymentStore(session),
            ledger=LedgerStore(session),
            gateway=gateway,
            now=now,
        )


def repair_events(database: Database, gateway: StripeGateway, *, now: datetime) -> Pulled:
    """Fetch the events of the last days and apply those whose webhook never came."""
    with database.transaction(Role.WORKER) as session:
        return pull_events(
            now - _LOOK_BACK,
            invoicing=InvoiceStore(session),
            payments=PaymentStore(session),
            ledger=LedgerStore(session),
            gateway=gateway,
            now=now,
        )


def take_statement(database: Database, owner: UUID, content: bytes, *, now: datetime) -> Statements:
    """Import a statement file of `owner` and match it; all of it or nothing. Raises StatementRefused, PeriodClosed."""
    with database.transaction(Role.APP, party=owner) as session:
        invoicing, payments = InvoiceStore(session), PaymentStore(session)
        imported = import_statement(content, owner=owner, payments=payments, now=now)
        matched = match_automatically(
            owner, invoicing=invoicing, payments=payments, ledger=LedgerStore(session), now=now
        )
        proposed = propose_matches(owner, invoicing=invoicing, payments=payments)
    return Statements(imported, tuple(matched), tuple(proposed))


def confirm(database: Database, owner: UUID, transaction: UUID, invoice: UUID, *, by: str, now: datetime) -> Matched:
    """A person of `owner` says which invoice a bank line pays. Raises as confirm_match."""
    with database.transaction(Role.APP, party=owner) as session:
        return confirm_match(
            transaction,
            invoice,
            by=by,
            invoicing=InvoiceStore(session),
            payments=PaymentStore(session),
            ledger=LedgerStore(session),
            now=now,
        )


def undo(database: Database, owner: UUID, transaction: UUID, *, by: str, now: datetime) -> bool:
    """A person of `owner` takes a match back; False when there was none. Raises as undo_match."""
    with database.transaction(Role.APP, party=owner) as session:
        return undo_match(
            transaction,
            by=by,
            invoicing=InvoiceStore(session),
            payments=PaymentStore(session),
            ledger=LedgerStore(session),
            now=now,
        )
