"""The ledger's rows. Append-only: triggers refuse change, and refuse entries that do not sum to zero at commit."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Index, UniqueConstraint
from sqlalchemy.types import CHAR, Text
from sqlmodel import Field, SQLModel


class LedgerAccountRow(SQLModel, table=True):
    __tablename__ = "ledger_account"

    name: str = Field(sa_column=Column(Text, primary_key=True))
    number: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    meaning: str = Field(sa_column=Column(Text, nullable=False))


class JournalEntryRow(SQLModel, table=True):
    __tablename__ = "journal_entry"
    __table_args__ = (
        UniqueConstraint("source", "source_id", name="journal_entry_source"),
        Index("journal_entry_booked", "owner_id", "booked_on"),
    )

    id: UUID = Field(primary_key=True)
    owner_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    source: str = Field(sa_column=Column(Text, nullable=False))
    source_id: UUID
    booked_on: date
    recorded_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    text: str = Field(sa_column=Column(Text, nullable=False))


class PostingRow(SQLModel, table=True):
    __tablename__ = "posting"
    __table_args__ = (Index("posting_account", "owner_id", "account"), Index("posting_counterparty", "counterparty_id"))

    entry_id: UUID = Field(sa_column=Column(ForeignKey("journal_entry.id"), primary_key=True))
    position: int = Field(primary_key=True)
    owner_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    account: str = Field(sa_column=Column(Text, ForeignKey("ledger_account.name"), nullable=False))
    amount_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    currency: str = Field(sa_column=Column(CHAR(3), nullable=False))
    counterparty_id: UUID | None = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=True))


class PeriodCloseRow(SQLModel, table=True):
    __tablename__ = "period_close"

    owner_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), primary_key=True))
    first_day: date = Field(primary_key=True)
    last_day: date
    closed_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    digest: str = Field(sa_column=Column(Text, nullable=False))
