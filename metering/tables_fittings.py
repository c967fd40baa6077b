"""Rows of replaced meters. Built and read in store_fittings.py only."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Text
from sqlmodel import Field, SQLModel

_MOMENT = DateTime(timezone=True)


class MeterReplacementRow(SQLModel, table=True):
    """Append-only: a meter is replaced once, by one, and replaces one at most."""

    __tablename__ = "meter_replacement"

    new_meter_id: UUID = Field(primary_key=True, foreign_key="meter.id")
    old_meter_id: UUID = Field(foreign_key="meter.id", unique=True)
    owner_id: UUID = Field(foreign_key="organisation.id", index=True)
    at: datetime = Field(sa_type=_MOMENT)
    reason: str = Field(sa_type=Text)
    recorded_at: datetime = Field(sa_type=_MOMENT)
