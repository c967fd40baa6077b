"""Where payments and allocations become rows and back; links and bank lines are at `cards` and `bank`."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, literal, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlmodel import Session, col, select

from billing.invoicing.tables import InvoiceRow
from billing.money import Money
from billing.payments.bank_store import BankStore
from billing.payments.card_store import CardStore
from billing.payments.payment import Allocation, Payment, Settled
from billing.payments.tables import AllocationRow, PaymentRow


class PaymentStore:
    """Payments within one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.cards = CardStore(session)
        self.bank = BankStore(session)

    def lock_paying(self, invoice: UUID) -> None:
        """Let no other transaction pay `invoice`, or open a page to pay it, until this one ends."""
        key = func.hashtextextended(literal(f"pay/{invoice}"), literal(0))
        self._session.execute(select(func.pg_advisory_xact_lock(key)))

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """A part of the transaction that can fail alone."""
        with self._session.begin_nested():
            yield

    def allocated(self, invoices: Iterable[UUID]) -> dict[UUID, Money]:
        """What is settled of each of these invoices, as far as they are visible; zero where nothing is."""
        return self._allocated(col(InvoiceRow.id).in_(list(invoices)))

    def allocated_to_issued(self, lessor: UUID) -> dict[UUID, Money]:
        """What is settled of each invoice that `lessor` issued."""
        return self._allocated(col(InvoiceRow.lessor_id) == lessor, col(InvoiceRow.status) == "issued")

    def _allocated(self, *where: ColumnElement[bool]) -> dict[UUID, Money]:
        in_force = and_(col(AllocationRow.invoice_id) == col(InvoiceRow.id), col(AllocationRow.undone_at).is_(None))
        settled = func.coalesce(func.sum(col(AllocationRow.amount_minor)), 0)
        query = (
            select(col(InvoiceRow.id), col(InvoiceRow.currency), settled)
            .outerjoin(AllocationRow, in_force)
            .where(*where)
            .group_by(col(InvoiceRow.id), col(InvoiceRow.currency))
        )
        return {invoice: Money(int(minor), currency) for invoice, currency, minor in self._session.exec(query)}

    def add_payment(self, payment: Payment, *, now: datetime) -> bool:
        """Keep a payment; False when it is there already. Of two at once the second waits for the first's end."""
        row = {
            "id": payment.id,
            "lessor_id": payment.lessor,
            "lessee_id": payment.lessee,
            "amount_minor": payment.amount.minor,
            "fee_minor": payment.fee.minor,
            "currency": payment.amount.currency,
            "received_on": payment.received_on,
            "bank_transaction_id": payment.transaction,
            "stripe_intent_id": payment.intent,
            "recorded_at": now,
        }
        added = pg_insert(PaymentRow).values(row).on_conflict_do_nothing().returning(col(PaymentRow.id))
        return self._session.execute(added).first() is not None

    def add_allocation(self, allocation: Allocation, payment: Payment, *, now: datetime) -> None:
        """Settle; the database refuses more than the payment brought or the invoice asks for."""
        row = {
            "id": allocation.id,
            "payment_id": allocation.payment,
            "invoice_id": allocation.invoice,
            "lessor_id": payment.lessor,
            "lessee_id": payment.lessee,
            "amount_minor": allocation.amount.minor,
            "currency": allocation.amount.currency,
            "decided_by": allocation.decided_by,
            "reason": allocation.reason,
            "recorded_at": now,
        }
        self._session.execute(pg_insert(AllocationRow).values(row))

    def payments_of(self, transaction: UUID) -> list[Payment]:
        """Every payment made of a bank transaction, undone ones too, oldest first."""
        query = select(PaymentRow).where(PaymentRow.bank_transaction_id == transaction)
        rows = self._session.exec(query.order_by(col(PaymentRow.recorded_at), col(PaymentRow.id)))
        return [_payment(row) for row in rows]

    def undo(self, payment: Payment, *, by: str, now: datetime) -> None:
        """Take a payment and its allocations out of force; they stay to be seen."""
        for table, column in ((AllocationRow, AllocationRow.payment_id), (PaymentRow, PaymentRow.id)):
            values: dict[str, Any] = {"undone_at": now} | ({"undone_by": by} if table is AllocationRow else {})
            where = (col(column) == payment.id, col(table.undone_at).is_(None))
            self._session.execute(update(table).where(*where).values(values))

    def settled(
        self, *, lessor: UUID | None = None, invoice: UUID | None = None, most: int | None = None
    ) -> list[Settled]:
        """The allocations in force, latest first: of a lessor, of an invoice, or all; `most` limits them."""
        query = (
            select(AllocationRow, PaymentRow)
            .join(PaymentRow, col(PaymentRow.id) == col(AllocationRow.payment_id))
            .where(col(AllocationRow.undone_at).is_(None))
            .order_by(col(AllocationRow.recorded_at).desc(), col(AllocationRow.id))
            .limit(most)
        )
        if lessor:
            query = query.where(AllocationRow.lessor_id == lessor)
        if invoice:
            query = query.where(AllocationRow.invoice_id == invoice)
        return [Settled(_allocation(row), _payment(paid), row.recorded_at) for row, paid in self._session.exec(query)]


def _allocation(row: AllocationRow) -> Allocation:
    amount = Money(row.amount_minor, row.currency)
    return Allocation(row.payment_id, row.invoice_id, amount, row.decided_by, row.reason)


def _payment(row: PaymentRow) -> Payment:
    return Payment(
        id=row.id,
        lessor=row.lessor_id,
        lessee=row.lessee_id,
        amount=Money(row.amount_minor, row.currency),
        fee=Money(row.fee_minor, row.currency),
        received_on=row.received_on,
        transaction=row.bank_transaction_id,
        intent=row.stripe_intent_id,
        undone=row.undone_at is not None,
    )
