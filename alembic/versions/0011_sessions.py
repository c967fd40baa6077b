"""Sessions, the readings that open and close them, and the cut schedules that announce them to agents.

Revision ID: 0011
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

from metering.parties.row_security import protect

revision = "0011"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _meter_session()
    op.create_table(
        "session_reading",
        sa.Column("meter_id", sa.Uuid(), sa.ForeignKey("meter.id"), primary_key=True, nullable=False),
        sa.Column("sequence", sa.BigInteger(), primary_key=True, nullable=False, autoincrement=False),
        sa.Column("owner_id", sa.Uuid(), sa.ForeignKey("organisation.id"), nullable=False),
        sa.Column("session", sa.String(120), nullable=False),
        sa.Column("reason", sa.String(1), nullable=False),
        sa.Index("ix_session_reading_session", "meter_id", "session"),
    )
    op.create_table(
        "cut_schedule",
        sa.Column("meter_id", sa.Uuid(), sa.ForeignKey("meter.id"), primary_key=True, nullable=False),
        sa.Column("number", sa.BigInteger(), primary_key=True, nullable=False, autoincrement=False),
        sa.Column("owner_id", sa.Uuid(), sa.ForeignKey("organisation.id"), nullable=False),
        *(sa.Column(name, sa.DateTime(timezone=True), nullable=False) for name in ("issued_at", "valid_until")),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
    )
    for table, parties in (
        ("meter_session", ["owner_id", "party_id"]),
        ("session_reading", ["owner_id"]),
        ("cut_schedule", ["owner_id"]),
    ):
        for statement in protect(table, parties):
            op.execute(statement)
    # What was promised, sealed and announced is written by the worker, and what was sealed or signed never changes.
    op.execute("REVOKE INSERT, UPDATE ON meter_session, session_reading, cut_schedule FROM spindleshare_app")
    op.execute("REVOKE UPDATE ON session_reading, cut_schedule FROM spindleshare_worker")


def _meter_session() -> None:
    op.create_table(
        "meter_session",
        sa.Column("meter_id", sa.Uuid(), sa.ForeignKey("meter.id"), primary_key=True, nullable=False),
        sa.Column("id", sa.String(64), primary_key=True, nullable=False),
        sa.Column("owner_id", sa.Uuid(), sa.ForeignKey("organisation.id"), nullable=False),
        sa.Column("party_id", sa.Uuid(), sa.ForeignKey("organisation.id"), nullable=False, index=True),
        *(
            sa.Column(name, sa.DateTime(timezone=True), nullable=False)
            for name in ("begins_at", "ends_at", "recorded_at")
        ),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Index("ix_meter_session_end", "meter_id", "ends_at"),
    )
    # Every booking so far was a session that no agent was told of.
    op.execute(
        "INSERT INTO meter_session (meter_id, id, owner_id, party_id, begins_at, ends_at, recorded_at, withdrawn_at) "
        "SELECT l.meter_id, b.id::text, m.owner_id, b.lessee_id, lower(b.slot), upper(b.slot), b.recorded_at, "
        "b.cancelled_at FROM booking b JOIN lease l ON l.id = b.lease_id JOIN meter m ON m.id = l.meter_id"
    )


def downgrade() -> None:
    for table in ("cut_schedule", "session_reading", "meter_session"):
        op.drop_table(table)
