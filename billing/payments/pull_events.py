"""The repair job: events whose webhook was lost are fetched and applied like those that came."""

from dataclasses import dataclass
from datetime import datetime

from billing.accounting.store import LedgerStore
from billing.invoicing.store import InvoiceStore
from billing.payments.receive_event import ALREADY, EventReceipt, apply_event
from billing.payments.store import PaymentStore
from billing.payments.stripe_gateway import StripeGateway, StripeUnavailable


@dataclass(frozen=True, slots=True)
class Pulled:
    """`repaired` were not known before; `failed` names events that could not be applied, which the next run tries."""

    repaired: tuple[EventReceipt, ...]
    failed: tuple[str, ...]


def pull_events(
    since: datetime,
    *,
    invoicing: InvoiceStore,
    payments: PaymentStore,
    ledger: LedgerStore,
    gateway: StripeGateway,
    now: datetime,
) -> Pulled:
    """Apply every event from `since` on that is not kept yet. Webhooks are tried for three days: look back as far.

    One event that cannot be applied does not keep the others back. Raises StripeUnavailable, StripeRefused.
    """
    repaired, failed = [], []
    for event in gateway.events_since(since):
        try:
            with payments.attempt():
                receipt = apply_event(
                    event,
                    came_by="pull",
                    invoicing=invoicing,
                    payments=payments,
                    ledger=ledger,
                    gateway=gateway,
                    now=now,
                )
        except StripeUnavailable:
            raise
        except Exception as error:
            failed.append(f"{event.id} ({event.kind}): {error}")
            continue
        if receipt.outcome != ALREADY:
            repaired.append(receipt)
    return Pulled(tuple(repaired), tuple(failed))
