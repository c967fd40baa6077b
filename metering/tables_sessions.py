"""Rows of sessions, of the readings that open and close them, and of cut schedules. Used in store_sessions.py only."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Index, String, Text
from sqlmodel import Field, SQLModel

_MOMENT = DateTime(timezone=True)


class MeterSessionRow(SQLModel, table=True):
    """A session as it was promised; nothing of it changes but that it may be withdrawn, once."""

    __tablename__ = "meter_session"
    __table_args__ = (Index("ix_meter_session_end", "meter_id", "ends_at"),)

    meter_id: UUID = Field(foreign_key="meter.id", primary_key=True)
    id: str = Field(primary_key=True, sa_type=String(64))
    owner_id: UUID = Field(foreign_key="organisation.id")
    party_id: UUID = Field(foreign_key="organisation.id", index=True)
    begins_at: datetime = Field(sa_type=_MOMENT)
    ends_at: datetime = Field(sa_type=_MOMENT)
    recorded_at: datetime = Field(sa_type=_MOMENT)
    withdrawn_at: datetime | None = Field(sa_type=_MOMENT)


class SessionReadingRow(SQLModel, table=True):
    """A sealed reading that begins (B) or ends (E) a session; `session` is what the agent wrote there."""

    __tablename__ = "session_reading"
    __table_args__ = (Index("ix_session_reading_session", "meter_id", "session"),)

    meter_id: UUID = Field(foreign_key="meter.id", primary_key=True)
    sequence: int = Field(primary_key=True, sa_type=BigInteger)
    owner_id: UUID = Field(foreign_key="organisation.id")
    session: str = Field(sa_type=String(120))
    reason: str = Field(sa_type=String(1))


class CutScheduleRow(SQLModel, table=True):
    """A signed cut schedule. `changes` counts what the sessions after `issued_at` had gone through when it was made."""

    __tablename__ = "cut_schedule"

    meter_id: UUID = Field(foreign_key="meter.id", primary_key=True)
    number: int = Field(primary_key=True, sa_type=BigInteger)
    owner_id: UUID = Field(foreign_key="organisation.id")
    issued_at: datetime = Field(sa_type=_MOMENT)
    valid_until: datetime = Field(sa_type=_MOMENT)
    changes: int = Field(sa_type=BigInteger)
    text: str = Field(sa_type=Text)
    recorded_at: datetime = Field(sa_type=_MOMENT)
