"""Rows of tariff versions. Built and read in store.py only; a stored version is never updated."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, Text, UniqueConstraint
from sqlalchemy.types import CHAR
from sqlmodel import Field, SQLModel


class TariffVersionRow(SQLModel, table=True):
    __tablename__ = "tariff_version"
    __table_args__ = (
        UniqueConstraint("owner_id", "code", "version", name="tariff_version_once"),
        CheckConstraint("digest = encode(sha256(convert_to(content, 'UTF8')), 'hex')", name="tariff_version_digest"),
    )

    id: UUID = Field(primary_key=True)
    owner_id: UUID = Field(sa_column=Column(ForeignKey("organisation.id"), nullable=False))
    code: str = Field(sa_column=Column(Text, nullable=False))
    version: int
    title: str = Field(sa_column=Column(Text, nullable=False))
    currency: str = Field(sa_column=Column(CHAR(3), nullable=False))
    content: str = Field(sa_column=Column(Text, nullable=False))
    digest: str = Field(sa_column=Column(CHAR(64), nullable=False))
    recorded_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
