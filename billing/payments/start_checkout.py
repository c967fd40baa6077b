"""Open a hosted page on which an invoice can be paid by card; at most one such page is open for an invoice."""

from datetime import datetime, timedelta
from uuid import UUID

from billing.invoicing.invoice import Invoice
from billing.invoicing.store import InvoiceStore
from billing.money import Money
from billing.payments.card import CheckoutLink, CheckoutOrder, CheckoutSession
from billing.payments.settle import NothingOpen, open_amount
from billing.payments.store import PaymentStore
from billing.payments.stripe_gateway import StripeGateway

_TIME_TO_PAY = timedelta(minutes=10)


class PaymentUnderWay(ValueError):
    """The invoice was just paid by card and the payment is being recorded: wait a moment, then look again."""


def start_checkout(
    invoice_id: UUID,
    *,
    invoicing: InvoiceStore,
    payments: PaymentStore,
    gateway: StripeGateway,
    return_to: str,
    now: datetime,
) -> str:
    """The address to send the payer to; the same one again while it is open for the amount that is open.

    The provider's idempotency key is forgotten after a day, the stored link is not: it guards against a second page.
    `return_to` is the invoice's page. Raises UnknownInvoice, NothingOpen, PaymentUnderWay, StripeUnavailable,
    StripeRefused.
    """
    invoice = invoicing.get(invoice_id)
    payments.lock_paying(invoice_id)
    wanted = open_amount(invoice, payments)
    if wanted.minor <= 0:
        raise NothingOpen(f"nothing is open on invoice {invoice.number or invoice_id}")
    latest = payments.cards.latest_link(invoice_id)
    if latest is not None and (url := _still_good(latest, wanted, payments, gateway, now)):
        return url
    return _open(invoice, wanted, latest, payments, gateway, return_to, now).url


def _still_good(
    link: CheckoutLink, wanted: Money, payments: PaymentStore, gateway: StripeGateway, now: datetime
) -> str | None:
    """The link's address while it can still be used as it is; else it is closed, so that nobody pays on it."""
    if link.state == "paid":
        return None
    page = gateway.checkout(link.session)
    if page.status == "open" and (link.amount != wanted or page.expires_at < now + _TIME_TO_PAY):
        page = gateway.close_checkout(link.session)
    if page.status == "complete":
        raise PaymentUnderWay(
            "this invoice was just paid by card: the payment is being recorded, look again in a moment"
        )
    if page.status == "open":
        return page.url
    payments.cards.set_link_state(link.session, "closed")
    return None


def _open(
    invoice: Invoice,
    wanted: Money,
    latest: CheckoutLink | None,
    payments: PaymentStore,
    gateway: StripeGateway,
    return_to: str,
    now: datetime,
) -> CheckoutSession:
    attempt = latest.attempt + 1 if latest else 1
    page = gateway.open_checkout(CheckoutOrder(invoice.id, invoice.number or "", wanted, attempt, return_to))
    parties = (invoice.seller.id, invoice.buyer.id)
    link = CheckoutLink(invoice.id, *parties, attempt, page.id, page.url, wanted, "open", page.expires_at)
    payments.cards.add_link(link, now=now)
    return page
