"""Rows of listings, leases, bookings, swapped machines and lease facts. Built and read in store.py only."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Numeric,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE, ExcludeConstraint
from sqlalchemy.types import CHAR
from sqlmodel import Field, SQLModel


class ListingRow(SQLModel, table=True):
    __tablename__ = "listing"

    machine_id: UUID = Field(sa_column=Column(ForeignKey("machine.id"), primary_key=True))
    meter_id: UUID = Field(sa_column=Column(ForeignKey("meter.id"), nullable=False))
    meter_serial: str = Field(sa_column=Column(Text, nullable=False))
    lessor_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    title: str = Field(sa_column=Column(Text, nullable=False))
    zone: str = Field(sa_column=Column(Text, nullable=False))
    currency: str = Field(sa_column=Column(CHAR(3), nullable=False))
    tariff_version_id: UUID = Field(sa_column=Column(ForeignKey("tariff_version.id"), nullable=False))
    is_open: bool
    recorded_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class LeaseRow(SQLModel, table=True):
    __tablename__ = "lease"
    __table_args__ = (
        CheckConstraint("kind IN ('booking', 'open_ended')", name="lease_kind"),
        CheckConstraint("ends IS NULL OR ends > starts", name="lease_ends_after_start"),
        CheckConstraint("ends IS NOT NULL OR kind = 'open_ended'", name="lease_of_a_booking_ends"),
        CheckConstraint("lessor_id <> lessee_id", name="lease_two_parties"),
        Index("lease_machine", "machine_id", "starts"),
        Index("lease_lessee", "lessee_id"),
        Index("lease_tariff_version", "tariff_version_id"),
    )

    id: UUID = Field(primary_key=True)
    kind: str = Field(sa_column=Column(Text, nullable=False))
    machine_id: UUID = Field(sa_column=Column(ForeignKey("machine.id"), nullable=False))
    meter_id: UUID = Field(sa_column=Column(ForeignKey("meter.id"), nullable=False))
    meter_serial: str = Field(sa_column=Column(Text, nullable=False))
    lessor_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    lessee_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    tariff_version_id: UUID = Field(sa_column=Column(ForeignKey("tariff_version.id"), nullable=False))
    currency: str = Field(sa_column=Column(CHAR(3), nullable=False))
    zone: str = Field(sa_column=Column(Text, nullable=False))
    starts: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    ends: datetime | None = Field(sa_column=Column(DateTime(timezone=True), nullable=True))
    recorded_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class BookingRow(SQLModel, table=True):
    """The constraint, not the service, keeps two confirmed bookings of a machine apart: half-open, so they may meet."""

    __tablename__ = "booking"
    __table_args__ = (
        CheckConstraint("status IN ('confirmed', 'cancelled')", name="booking_status"),
        CheckConstraint(
            "lower_inc(slot) AND NOT upper_inc(slot) AND NOT isempty(slot) AND NOT lower_inf(slot)"
            " AND NOT upper_inf(slot)",
            name="booking_half_open",
        ),
        ExcludeConstraint(
            ("machine_id", "="), ("slot", "&&"), where="status = 'confirmed'", using="gist", name="booking_no_overlap"
        ),
        Index("booking_lease", "lease_id"),
        Index("booking_lessee", "lessee_id"),
    )

    id: UUID = Field(primary_key=True)
    lease_id: UUID = Field(sa_column=Column(ForeignKey("lease.id"), nullable=False))
    machine_id: UUID = Field(sa_column=Column(ForeignKey("machine.id"), nullable=False))
    lessor_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    lessee_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    slot: Any = Field(sa_column=Column(TSTZRANGE, nullable=False))
    status: str = Field(sa_column=Column(Text, nullable=False))
    recorded_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    cancelled_at: datetime | None = Field(sa_column=Column(DateTime(timezone=True), nullable=True))


class MachineSwapRow(SQLModel, table=True):
    """Append-only: from `at` on the lease runs on this machine."""

    __tablename__ = "machine_swap"
    __table_args__ = (UniqueConstraint("lease_id", "at", name="machine_swap_moment"),)

    id: UUID = Field(primary_key=True)
    lease_id: UUID = Field(sa_column=Column(ForeignKey("lease.id"), nullable=False))
    lessor_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    lessee_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    machine_id: UUID = Field(sa_column=Column(ForeignKey("machine.id"), nullable=False))
    meter_id: UUID = Field(sa_column=Column(ForeignKey("meter.id"), nullable=False))
    meter_serial: str = Field(sa_column=Column(Text, nullable=False))
    at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    recorded_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class LeaseFactRow(SQLModel, table=True):
    """Append-only; `position` keeps the order of recording."""

    __tablename__ = "lease_fact"
    __table_args__ = (Index("lease_fact_lease", "lease_id", "at"),)

    id: UUID = Field(primary_key=True)
    position: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), nullable=False))
    lease_id: UUID = Field(sa_column=Column(ForeignKey("lease.id"), nullable=False))
    lessor_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    lessee_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    quantity: Decimal = Field(sa_column=Column(Numeric, nullable=False))
    price: Decimal | None = Field(sa_column=Column(Numeric, nullable=True))
    description: str = Field(sa_column=Column(Text, nullable=False))
    evidence: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    recorded_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
