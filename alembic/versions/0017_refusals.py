"""What became of refused records, and alarms about them.

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

from metering.parties.row_security import protect

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "settled_refusal",
        sa.Column("refused_id", sa.Uuid(), sa.ForeignKey("refused_record.id"), primary_key=True, nullable=False),
        sa.Column("agent_id", sa.Uuid(), sa.ForeignKey("agent.id"), nullable=False),
        sa.Column("meter_id", sa.Uuid(), sa.ForeignKey("meter.id"), nullable=False, index=True),
        sa.Column("owner_id", sa.Uuid(), sa.ForeignKey("organisation.id"), nullable=False, index=True),
        sa.Column("after_pagination", sa.BigInteger(), nullable=True),
        sa.Column("last_pagination", sa.BigInteger(), nullable=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Index("ix_settled_refusal_gap", "agent_id", "after_pagination"),
    )
    op.create_table(
        "refusal_alarm",
        sa.Column("id", sa.Uuid(), primary_key=True, nullable=False),
        sa.Column("agent_id", sa.Uuid(), sa.ForeignKey("agent.id"), nullable=False),
        sa.Column("meter_id", sa.Uuid(), sa.ForeignKey("meter.id"), nullable=False),
        sa.Column("owner_id", sa.Uuid(), sa.ForeignKey("organisation.id"), nullable=False, index=True),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.create_index(
        "ix_refusal_alarm_open",
        "refusal_alarm",
        ["agent_id"],
        unique=True,
        postgresql_where=sa.text("cleared_at IS NULL"),
    )
    for table in ("settled_refusal", "refusal_alarm"):
        for statement in protect(table, ["owner_id"]):
            op.execute(statement)
        op.execute(f"REVOKE INSERT, UPDATE ON {table} FROM spindleshare_app")
    # Where a chain goes on with a gap is evidence: written once, by the worker, for the owner who accepted it.
    op.execute("REVOKE UPDATE ON settled_refusal FROM spindleshare_worker")


def downgrade() -> None:
    op.drop_table("refusal_alarm")
    op.drop_table("settled_refusal")
