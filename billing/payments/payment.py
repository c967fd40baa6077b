"""Payments and what they settle, as values."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid5

from billing.money import Money

_PAYMENTS = UUID("a3f0c9d2-6a35-5a54-9b1b-5d1c7f2a8e31")


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that came in for `lessor` from `lessee`: by card (`intent`) or by bank (`transaction`), never both.

    `fee` is what the card provider keeps of `amount`.
    """

    id: UUID
    lessor: UUID
    lessee: UUID
    amount: Money
    fee: Money
    received_on: date
    transaction: UUID | None = None
    intent: str | None = None
    undone: bool = False


@dataclass(frozen=True, slots=True)
class Allocation:
    """`amount` of a payment settles an invoice. `decided_by` is `automatic` or the person's id; `reason` says why."""

    payment: UUID
    invoice: UUID
    amount: Money
    decided_by: str
    reason: str

    @property
    def id(self) -> UUID:
        return uuid5(_PAYMENTS, f"allocation/{self.payment}/{self.invoice}")


def card_payment_id(intent: str) -> UUID:
    """The id of the payment that a card payment intent made: the same however often it is told of."""
    return uuid5(_PAYMENTS, f"card/{intent}")


def bank_payment_id(transaction: UUID, earlier: int) -> UUID:
    """The id of the payment of a bank transaction after `earlier` ones that were undone."""
    return uuid5(_PAYMENTS, f"bank/{transaction}/{earlier}")


def share(amount: Money, open_amount: Money) -> Money:
    """How much of a payment settles an invoice on which `open_amount` is open: never more than either."""
    part = min(amount.minor, max(open_amount.minor, 0))
    return Money(part, (amount - open_amount).currency)


@dataclass(frozen=True, slots=True)
class Settled:
    """An allocation in force, with the payment behind it, for a page that lists them."""

    allocation: Allocation
    payment: Payment
    recorded_at: datetime
