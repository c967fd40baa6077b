"""Rows of the manifest: which segments of telemetry were received. Built and read in store.py only."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, DateTime, Index, String, text
from sqlmodel import Field, SQLModel


class TelemetrySegmentRow(SQLModel, table=True):
    """A segment as received. `refused` says why one was kept aside; `forgotten_at` when retention deleted its rows."""

    __tablename__ = "telemetry_segment"
    __table_args__ = (
        Index(
            "ix_telemetry_segment_stored", "meter_id", "number", unique=True, postgresql_where=text("refused IS NULL")
        ),
    )

    meter_id: UUID = Field(foreign_key="meter.id", primary_key=True)
    number: int = Field(primary_key=True, sa_type=BigInteger)
    digest: str = Field(primary_key=True, sa_type=String(64))
    owner_id: UUID = Field(foreign_key="organisation.id", index=True)
    machine_id: UUID = Field(foreign_key="machine.id")
    first_row: int = Field(sa_type=BigInteger)
    next_row: int = Field(sa_type=BigInteger)
    from_ms: int = Field(sa_type=BigInteger)
    until_ms: int = Field(sa_type=BigInteger)
    life_end_ms: int = Field(sa_type=BigInteger)
    policy: list[int] = Field(sa_type=ARRAY(BigInteger))
    thinned: bool
    size: int = Field(sa_type=BigInteger)
    refused: str | None
    recorded_at: datetime = Field(sa_type=DateTime(timezone=True))
    forgotten_at: datetime | None = Field(sa_type=DateTime(timezone=True))
