"""Rows of what owners declare. Built and read in store.py only."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, Index, Text
from sqlalchemy.dialects.postgresql import TSTZRANGE
from sqlmodel import Field, SQLModel

_MOMENT = DateTime(timezone=True)


class UseDeclarationRow(SQLModel, table=True):
    __tablename__ = "use_declaration"
    __table_args__ = (
        CheckConstraint("kind IN ('own_use', 'maintenance', 'trial')", name="use_declaration_kind"),
        Index("ix_use_declaration_machine", "machine_id", "during", postgresql_using="gist"),
    )

    id: UUID = Field(primary_key=True)
    machine_id: UUID = Field(sa_column=Column(ForeignKey("machine.id"), nullable=False))
    owner_id: UUID = Field(foreign_key="organisation.id", index=True)
    during: Any = Field(sa_column=Column(TSTZRANGE, nullable=False))
    kind: str
    note: str = Field(sa_type=Text)
    by: str
    recorded_at: datetime = Field(sa_type=_MOMENT)


class UseWithdrawalRow(SQLModel, table=True):
    """A declaration that its owner has taken back; the declaration itself stays."""

    __tablename__ = "use_withdrawal"

    declaration_id: UUID = Field(foreign_key="use_declaration.id", primary_key=True)
    owner_id: UUID = Field(foreign_key="organisation.id", index=True)
    by: str
    recorded_at: datetime = Field(sa_type=_MOMENT)
