"""Rows of what became of refused records, and of alarms about them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Index, String, Text, text
from sqlmodel import Field, SQLModel

_MOMENT = DateTime(timezone=True)


class SettledRefusalRow(SQLModel, table=True):
    """A refused record that its owner has settled. With `after_pagination` the chain may go on behind it: records from
    there to `last_pagination` are an accepted gap; without, the record is only noted."""

    __tablename__ = "settled_refusal"
    __table_args__ = (Index("ix_settled_refusal_gap", "agent_id", "after_pagination"),)

    refused_id: UUID = Field(foreign_key="refused_record.id", primary_key=True)
    agent_id: UUID = Field(foreign_key="agent.id")
    meter_id: UUID = Field(foreign_key="meter.id", index=True)
    owner_id: UUID = Field(foreign_key="organisation.id", index=True)
    after_pagination: int | None = Field(sa_type=BigInteger)
    last_pagination: int | None = Field(sa_type=BigInteger)
    digest: str = Field(sa_type=String(64))
    why: str = Field(sa_type=Text)
    by: str
    recorded_at: datetime = Field(sa_type=_MOMENT)


class RefusalAlarmRow(SQLModel, table=True):
    """That an agent's records were refused: raised once, and cleared when all of them are settled."""

    __tablename__ = "refusal_alarm"
    __table_args__ = (
        Index("ix_refusal_alarm_open", "agent_id", unique=True, postgresql_where=text("cleared_at IS NULL")),
    )

    id: UUID = Field(primary_key=True)
    agent_id: UUID = Field(foreign_key="agent.id")
    meter_id: UUID = Field(foreign_key="meter.id")
    owner_id: UUID = Field(foreign_key="organisation.id", index=True)
    raised_at: datetime = Field(sa_type=_MOMENT)
    cleared_at: datetime | None = Field(sa_type=_MOMENT)
