"""Rows of organisations, users and acquaintance. Built and read in store.py only."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, String
from sqlmodel import Field, SQLModel


class OrganisationRow(SQLModel, table=True):
    __tablename__ = "organisation"

    id: UUID = Field(primary_key=True)
    name: str
    street: str
    postcode: str
    city: str
    country: str = Field(sa_type=String(2))
    vat_id: str
    email: str
    iban: str
    zone: str
    recorded_at: datetime = Field(sa_type=DateTime(timezone=True))


class UserAccountRow(SQLModel, table=True):
    __tablename__ = "user_account"

    id: UUID = Field(primary_key=True)
    organisation_id: UUID = Field(foreign_key="organisation.id", index=True)
    email: str = Field(unique=True)
    name: str
    role: str
    password_hash: str
    recorded_at: datetime = Field(sa_type=DateTime(timezone=True))


class AcquaintanceRow(SQLModel, table=True):
    """`organisation_id` may see who `known_id` is, because some row names them both."""

    __tablename__ = "acquaintance"

    organisation_id: UUID = Field(foreign_key="organisation.id", primary_key=True)
    known_id: UUID = Field(foreign_key="organisation.id", primary_key=True)
