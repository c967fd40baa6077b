"""Invoicing's rows. Triggers keep issued invoices and their lines as they are."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, ForeignKey, Index, Numeric, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB, ExcludeConstraint
from sqlalchemy.types import CHAR, Text
from sqlmodel import Field, SQLModel


class InvoiceRow(SQLModel, table=True):
    __tablename__ = "invoice"
    __table_args__ = (
        UniqueConstraint("lease_id", "period_start", "period_end", "ordinal", name="invoice_natural_key"),
        UniqueConstraint("lessor_id", "number", name="invoice_number_once"),
        CheckConstraint("status IN ('draft', 'review', 'issued', 'void')", name="invoice_status"),
        CheckConstraint("total_minor = net_minor + tax_minor", name="invoice_adds_up"),
        CheckConstraint(
            "status <> 'issued' OR (number IS NOT NULL AND invoice_date IS NOT NULL AND due_date IS NOT NULL"
            " AND issued_at IS NOT NULL AND held IS NULL)",
            name="invoice_issued_whole",
        ),
        ExcludeConstraint(
            ("lease_id", "="),
            (text("tstzrange(period_start, period_end)"), "&&"),
            where="ordinal = 0 AND status <> 'void'",
            using="gist",
            name="invoice_no_overlap",
        ),
        Index("invoice_status_period", "status", "period_start"),
        Index("invoice_reference", "reference"),
        Index("invoice_lessee", "lessee_id"),
    )

    id: UUID = Field(primary_key=True)
    lease_id: UUID = Field(sa_column=Column(ForeignKey("lease.id"), nullable=False))
    lessor_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    lessee_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    period_start: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    period_end: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    ordinal: int
    status: str = Field(sa_column=Column(Text, nullable=False))
    number: str | None = Field(sa_column=Column(Text, nullable=True))
    reference: str | None = Field(sa_column=Column(Text, nullable=True))
    invoice_date: date | None
    due_date: date | None
    currency: str = Field(sa_column=Column(CHAR(3), nullable=False))
    net_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    tax_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    total_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    seller: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    buyer: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    terms: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    replayed: bool
    held: str | None = Field(sa_column=Column(Text, nullable=True))
    saved_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    issued_at: datetime | None = Field(sa_column=Column(DateTime(timezone=True), nullable=True))
    known_at: datetime | None = Field(sa_column=Column(DateTime(timezone=True), nullable=True))


class InvoiceLineRow(SQLModel, table=True):
    __tablename__ = "invoice_line"

    invoice_id: UUID = Field(sa_column=Column(ForeignKey("invoice.id"), primary_key=True))
    position: int = Field(primary_key=True)
    lessor_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    lessee_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    code: str = Field(sa_column=Column(Text, nullable=False))
    description: str = Field(sa_column=Column(Text, nullable=False))
    category: str = Field(sa_column=Column(Text, nullable=False))
    quantity: Decimal | None = Field(sa_column=Column(Numeric, nullable=True))
    unit: str = Field(sa_column=Column(Text, nullable=False))
    price: Decimal | None = Field(sa_column=Column(Numeric, nullable=True))
    precise: str = Field(sa_column=Column(Text, nullable=False))
    amount_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    vat_category: str = Field(sa_column=Column(Text, nullable=False))
    vat_rate: Decimal = Field(sa_column=Column(Numeric, nullable=False))
    working: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    evidence: list[list[Any]] = Field(sa_column=Column(JSONB, nullable=False))


class InvoiceCounterRow(SQLModel, table=True):
    __tablename__ = "invoice_counter"

    owner_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), primary_key=True))
    series: str = Field(sa_column=Column(Text, primary_key=True))
    year: int = Field(primary_key=True)
    last: int


class ParkedCloseRow(SQLModel, table=True):
    __tablename__ = "parked_close"

    lease_id: UUID = Field(sa_column=Column(ForeignKey("lease.id"), primary_key=True))
    period_start: datetime = Field(sa_column=Column(DateTime(timezone=True), primary_key=True))
    period_end: datetime = Field(sa_column=Column(DateTime(timezone=True), primary_key=True))
    lessor_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    recorded_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class DueCloseRow(SQLModel, table=True):
    """A period that is to be closed once `due_at` has come; the worker's own, no party's."""

    __tablename__ = "due_close"

    period_start: datetime = Field(sa_column=Column(DateTime(timezone=True), primary_key=True))
    period_end: datetime = Field(sa_column=Column(DateTime(timezone=True), primary_key=True))
    due_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    closed_at: datetime | None = Field(sa_column=Column(DateTime(timezone=True), nullable=True))
