"""Rows of machines, meters, agents, sealed records, readings and usage. Built and read in store*.py only."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, DateTime, Index, Integer, String, Text, text
from sqlalchemy.dialects.postgresql import TSTZRANGE, Range
from sqlmodel import Field, SQLModel

# One object per use would be safer with SQLAlchemy's mutable types; these hold no state.
_MOMENT = DateTime(timezone=True)
_TEXTS = ARRAY(Text)
_BIG = ARRAY(BigInteger)
_CELLS = ARRAY(Integer)


class MachineRow(SQLModel, table=True):
    __tablename__ = "machine"

    id: UUID = Field(primary_key=True)
    owner_id: UUID = Field(foreign_key="organisation.id", index=True)
    name: str
    model: str
    zone: str
    recorded_at: datetime = Field(sa_type=_MOMENT)


class MeterRow(SQLModel, table=True):
    """`register_codes` and `spindles` say what the arrays of readings and usage mean; they only grow."""

    __tablename__ = "meter"

    id: UUID = Field(primary_key=True)
    machine_id: UUID = Field(foreign_key="machine.id", index=True)
    owner_id: UUID = Field(foreign_key="organisation.id", index=True)
    serial: str = Field(unique=True)
    register_codes: list[str] = Field(sa_type=_TEXTS)
    spindles: list[str] = Field(sa_type=_TEXTS)
    recorded_at: datetime = Field(sa_type=_MOMENT)


class AgentRow(SQLModel, table=True):
    """An agent with the end of its chain; the row is what ingest locks."""

    __tablename__ = "agent"

    id: UUID = Field(primary_key=True)
    meter_id: UUID = Field(foreign_key="meter.id", unique=True)
    owner_id: UUID = Field(foreign_key="organisation.id", index=True)
    name: str
    version: str
    public_key_pem: str
    fingerprint: str
    token_hash: str = Field(unique=True)
    enrolled_at: datetime = Field(sa_type=_MOMENT)
    key_first: int = Field(sa_type=BigInteger)
    revoked_at: datetime | None = Field(sa_type=_MOMENT)
    revoked_why: str
    last_seen_at: datetime | None = Field(sa_type=_MOMENT)
    pagination: int = Field(sa_type=BigInteger)
    sequence: int = Field(sa_type=BigInteger)
    digest: str = Field(sa_type=String(64))
    spectrum_cells: list[int] = Field(sa_type=_CELLS)
    spectrum_ms: list[int] = Field(sa_type=_BIG)


class AgentKeyRow(SQLModel, table=True):
    """A key that an agent signs with from `first_pagination` on, until the next one; `ordinal` counts an agent's keys
    in the order in which they were taken."""

    __tablename__ = "agent_key"

    agent_id: UUID = Field(foreign_key="agent.id", primary_key=True)
    ordinal: int = Field(primary_key=True)
    first_pagination: int = Field(sa_type=BigInteger)
    owner_id: UUID = Field(foreign_key="organisation.id", index=True)
    public_key_pem: str
    fingerprint: str
    reason: str
    recorded_at: datetime = Field(sa_type=_MOMENT)


class EnrolmentCodeRow(SQLModel, table=True):
    __tablename__ = "enrolment_code"

    code_hash: str = Field(primary_key=True, sa_type=String(64))
    meter_id: UUID = Field(foreign_key="meter.id", index=True)
    owner_id: UUID = Field(foreign_key="organisation.id", index=True)
    salt: str
    replaces: bool
    expires_at: datetime = Field(sa_type=_MOMENT)
    agent_id: UUID | None = Field(foreign_key="agent.id")
    redeemed_at: datetime | None = Field(sa_type=_MOMENT)
    recorded_at: datetime = Field(sa_type=_MOMENT)


class RecordRow(SQLModel, table=True):
    """A sealed text as received."""

    __tablename__ = "record"
    __table_args__ = (Index("ix_record_sequence", "meter_id", "last_sequence"),)

    meter_id: UUID = Field(foreign_key="meter.id", primary_key=True)
    pagination: int = Field(primary_key=True, sa_type=BigInteger)
    owner_id: UUID = Field(foreign_key="organisation.id")
    agent_id: UUID = Field(foreign_key="agent.id")
    digest: str = Field(sa_type=String(64))
    first_sequence: int = Field(sa_type=BigInteger)
    last_sequence: int = Field(sa_type=BigInteger)
    replayed: bool
    text: str = Field(sa_type=Text)
    recorded_at: datetime = Field(sa_type=_MOMENT)


class RefusedRecordRow(SQLModel, table=True):
    __tablename__ = "refused_record"

    id: UUID = Field(primary_key=True)
    agent_id: UUID = Field(foreign_key="agent.id")
    meter_id: UUID = Field(foreign_key="meter.id", index=True)
    owner_id: UUID = Field(foreign_key="organisation.id", index=True)
    digest: str = Field(sa_type=String(64))
    pagination: int | None = Field(sa_type=BigInteger)
    reason: str
    text: str = Field(sa_type=Text)
    recorded_at: datetime = Field(sa_type=_MOMENT)


class _Reading(SQLModel):
    """`registers` by the meter's layout; the spectrum is what grew since the reading before, not cumulative."""

    meter_id: UUID = Field(primary_key=True)
    sequence: int = Field(primary_key=True, sa_type=BigInteger)
    owner_id: UUID
    pagination: int = Field(sa_type=BigInteger)
    device_time: datetime = Field(sa_type=_MOMENT)
    time_quality: str = Field(sa_type=String(1))
    reason: str = Field(sa_type=String(1))
    status: str = Field(sa_type=String(1))
    replayed: bool
    gap_start: datetime | None = Field(sa_type=_MOMENT)
    gap_end: datetime | None = Field(sa_type=_MOMENT)
    registers: list[int] = Field(sa_type=_BIG)
    spectrum_cells: list[int] = Field(sa_type=_CELLS)
    spectrum_ms: list[int] = Field(sa_type=_BIG)


class ReadingRow(_Reading, table=True):
    """What everybody reads, under row-level security. Partitioned so that COPY has a leaf to write to (see README)."""

    __tablename__ = "reading"
    __table_args__ = (
        Index("ix_reading_time", "meter_id", "device_time", "sequence"),
        {"postgresql_partition_by": "LIST (meter_id)"},
    )


class StoredReadingRow(_Reading, table=True):
    """The leaf of `reading`: the worker alone may touch it."""

    __tablename__ = "reading_stored"
    __table_args__ = (Index("ix_reading_stored_time", "meter_id", "device_time", "sequence"),)


class UsageRow(SQLModel, table=True):
    """A revision of a quarter hour's usage. `is_open`: readings do not reach its end yet, so it grows in place."""

    __tablename__ = "usage"
    __table_args__ = (
        Index("ix_usage_current", "meter_id", "starts_at", unique=True, postgresql_where=text("superseded_at IS NULL")),
    )

    meter_id: UUID = Field(foreign_key="meter.id", primary_key=True)
    starts_at: datetime = Field(primary_key=True, sa_type=_MOMENT)
    revision: int = Field(primary_key=True)
    owner_id: UUID = Field(foreign_key="organisation.id")
    from_at: datetime = Field(sa_type=_MOMENT)
    until_at: datetime = Field(sa_type=_MOMENT)
    is_open: bool
    deltas: list[int] = Field(sa_type=_BIG)
    spectrum_cells: list[int] = Field(sa_type=_CELLS)
    spectrum_ms: list[int] = Field(sa_type=_BIG)
    substitute: bool
    unsynchronised: bool
    replayed: bool
    first_sequence: int = Field(sa_type=BigInteger)
    last_sequence: int = Field(sa_type=BigInteger)
    recorded_at: datetime = Field(sa_type=_MOMENT)
    superseded_at: datetime | None = Field(sa_type=_MOMENT)


class MeterAccessRow(SQLModel, table=True):
    """`party_id` may see what the meter measured in `during`."""

    __tablename__ = "meter_access"
    __table_args__ = (Index("ix_meter_access_party", "party_id", "meter_id"),)

    id: UUID = Field(primary_key=True)
    meter_id: UUID = Field(foreign_key="meter.id")
    owner_id: UUID = Field(foreign_key="organisation.id")
    party_id: UUID = Field(foreign_key="organisation.id")
    during: Range[datetime] = Field(sa_type=TSTZRANGE)
    recorded_at: datetime = Field(sa_type=_MOMENT)
