"""Payments' rows. A trigger keeps allocations within their payment and their invoice."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import CHAR, Text
from sqlmodel import Field, SQLModel

TENANT_TABLES = {
    "stripe_link": ("lessor_id", "lessee_id"),
    "stripe_event": ("lessor_id", "lessee_id"),
    "bank_statement": ("owner_id",),
    "bank_transaction": ("owner_id",),
    "payment": ("lessor_id", "lessee_id"),
    "allocation": ("lessor_id", "lessee_id"),
}


class StripeLinkRow(SQLModel, table=True):
    __tablename__ = "stripe_link"
    __table_args__ = (
        Index("stripe_link_attempt", "invoice_id", "attempt", unique=True),
        CheckConstraint("state IN ('open', 'paid', 'closed')", name="stripe_link_state"),
    )

    id: UUID = Field(primary_key=True)
    invoice_id: UUID = Field(sa_column=Column(ForeignKey("invoice.id"), nullable=False))
    lessor_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    lessee_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    attempt: int
    session_id: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    url: str = Field(sa_column=Column(Text, nullable=False))
    amount_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    currency: str = Field(sa_column=Column(CHAR(3), nullable=False))
    state: str = Field(sa_column=Column(Text, nullable=False))
    expires_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    recorded_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class StripeEventRow(SQLModel, table=True):
    __tablename__ = "stripe_event"
    __table_args__ = (Index("stripe_event_made", "made_at"),)

    id: str = Field(sa_column=Column(Text, primary_key=True))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    made_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    payload: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    came_by: str = Field(sa_column=Column(Text, nullable=False))
    outcome: str = Field(sa_column=Column(Text, nullable=False))
    lessor_id: UUID | None = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=True))
    lessee_id: UUID | None = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=True))
    recorded_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class BankStatementRow(SQLModel, table=True):
    __tablename__ = "bank_statement"

    id: UUID = Field(primary_key=True)
    owner_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    account: str = Field(sa_column=Column(Text, nullable=False))
    number: str = Field(sa_column=Column(Text, nullable=False))
    currency: str = Field(sa_column=Column(CHAR(3), nullable=False))
    opening_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    closing_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    closing_on: date | None
    digest: str = Field(sa_column=Column(Text, nullable=False))
    file_digest: str = Field(sa_column=Column(Text, nullable=False))
    recorded_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class BankTransactionRow(SQLModel, table=True):
    __tablename__ = "bank_transaction"
    __table_args__ = (Index("bank_transaction_booked", "owner_id", "booked_on"),)

    id: UUID = Field(primary_key=True)
    statement_id: UUID = Field(sa_column=Column(ForeignKey("bank_statement.id"), nullable=False))
    owner_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    position: int
    booked_on: date
    value_on: date
    amount_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    currency: str = Field(sa_column=Column(CHAR(3), nullable=False))
    entry_reference: str = Field(sa_column=Column(Text, nullable=False))
    code: str = Field(sa_column=Column(Text, nullable=False))
    party: str = Field(sa_column=Column(Text, nullable=False))
    party_account: str = Field(sa_column=Column(Text, nullable=False))
    end_to_end_id: str = Field(sa_column=Column(Text, nullable=False))
    returned: str = Field(sa_column=Column(Text, nullable=False))
    references: list[str] = Field(sa_column=Column("creditor_references", JSONB, nullable=False))
    remittance: list[str] = Field(sa_column=Column(JSONB, nullable=False))


class PaymentRow(SQLModel, table=True):
    __tablename__ = "payment"
    __table_args__ = (
        # At most one payment in force for a bank transaction, and one ever for a card payment.
        Index(
            "payment_of_transaction",
            "bank_transaction_id",
            unique=True,
            postgresql_where=text("undone_at IS NULL"),
        ),
        CheckConstraint("amount_minor > 0", name="payment_positive"),
        CheckConstraint("(bank_transaction_id IS NULL) <> (stripe_intent_id IS NULL)", name="payment_source"),
    )

    id: UUID = Field(primary_key=True)
    lessor_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    lessee_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    amount_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    fee_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    currency: str = Field(sa_column=Column(CHAR(3), nullable=False))
    received_on: date
    bank_transaction_id: UUID | None = Field(sa_column=Column(ForeignKey("bank_transaction.id"), nullable=True))
    stripe_intent_id: str | None = Field(sa_column=Column(Text, nullable=True, unique=True))
    undone_at: datetime | None = Field(sa_column=Column(DateTime(timezone=True), nullable=True))
    recorded_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class AllocationRow(SQLModel, table=True):
    __tablename__ = "allocation"
    __table_args__ = (
        Index("allocation_invoice", "invoice_id", postgresql_where=text("undone_at IS NULL")),
        Index("allocation_payment", "payment_id"),
    )

    id: UUID = Field(primary_key=True)
    payment_id: UUID = Field(sa_column=Column(ForeignKey("payment.id"), nullable=False))
    invoice_id: UUID = Field(sa_column=Column(ForeignKey("invoice.id"), nullable=False))
    lessor_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    lessee_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    amount_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    currency: str = Field(sa_column=Column(CHAR(3), nullable=False))
    decided_by: str = Field(sa_column=Column(Text, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    undone_by: str | None = Field(sa_column=Column(Text, nullable=True))
    undone_at: datetime | None = Field(sa_column=Column(DateTime(timezone=True), nullable=True))
    recorded_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
