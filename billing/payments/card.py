"""Card payments as values: what we ask of the provider, and what it tells us."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from billing.money import Money

_LINKS = UUID("d5a7f8a0-9a41-5a1d-8d4b-0c6d1c1f7b52")


@dataclass(frozen=True, slots=True)
class CheckoutOrder:
    """A hosted page on which `amount` of an invoice can be paid; `return_to` is the invoice's own page."""

    invoice: UUID
    number: str
    amount: Money
    attempt: int
    return_to: str

    @property
    def idempotency_key(self) -> str:
        """Invoice and step: a retry of the same step gets the first answer and opens no second page."""
        return f"{self.invoice}/checkout/{self.attempt}/{self.amount.minor}{self.amount.currency}"


@dataclass(frozen=True, slots=True)
class CheckoutSession:
    """The provider's page: `status` is open, complete or expired; `url` leads there while it is open."""

    id: str
    status: str
    url: str
    amount: Money
    expires_at: datetime
    intent: str | None = None


@dataclass(frozen=True, slots=True)
class CardPayment:
    """A payment intent as the provider has it now. `fee` is None while it is not known, or in another currency."""

    intent: str
    paid: bool
    amount: Money
    fee: Money | None
    paid_at: datetime
    invoice: UUID | None


@dataclass(frozen=True, slots=True)
class StripeEvent:
    """Something that happened at the provider; `subject` is the payment intent or session that it is about."""

    id: str
    kind: str
    made_at: datetime
    subject: str
    intent: str | None
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CheckoutLink:
    """The lasting memory that a page was opened for an invoice: `state` is open, paid or closed."""

    invoice: UUID
    lessor: UUID
    lessee: UUID
    attempt: int
    session: str
    url: str
    amount: Money
    state: str
    expires_at: datetime

    @property
    def id(self) -> UUID:
        return uuid5(_LINKS, f"{self.invoice}/{self.attempt}")
