"""Rows of components and of what was told of them. Built and read in store.py only."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, Numeric, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel


class ComponentRow(SQLModel, table=True):
    __tablename__ = "component"

    id: UUID = Field(primary_key=True)
    machine_id: UUID = Field(foreign_key="machine.id", index=True)
    owner_id: UUID = Field(foreign_key="organisation.id", index=True)
    name: str = Field(sa_column=Column(Text, nullable=False))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    recorded_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class ComponentEntryRow(SQLModel, table=True):
    """Append-only. `valid_from`: from when parameters hold, or when a piece was fitted."""

    __tablename__ = "component_entry"
    __table_args__ = (
        CheckConstraint("what IN ('parameters', 'fitted', 'withdrawn')", name="component_entry_what"),
        CheckConstraint("(what = 'parameters') = (parameters IS NOT NULL)", name="component_entry_parameters"),
        CheckConstraint("(what = 'withdrawn') = (withdraws IS NOT NULL)", name="component_entry_withdraws"),
    )

    component_id: UUID = Field(sa_column=Column(ForeignKey("component.id"), primary_key=True))
    number: int = Field(primary_key=True)
    owner_id: UUID = Field(foreign_key="organisation.id", index=True)
    what: str = Field(sa_column=Column(Text, nullable=False))
    valid_from: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    parameters: Any = Field(sa_column=Column(JSONB(none_as_null=True), nullable=True))
    serial: str = Field(sa_column=Column(Text, nullable=False))
    used_share: Decimal = Field(sa_column=Column(Numeric, nullable=False))
    withdraws: int | None
    why: str = Field(sa_column=Column(Text, nullable=False))
    recorded_by: str = Field(sa_column=Column(Text, nullable=False))
    recorded_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
