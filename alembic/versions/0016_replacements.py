"""Replaced meters and swapped machines.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

from metering.parties.row_security import protect

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "meter_replacement",
        sa.Column("new_meter_id", sa.Uuid(), sa.ForeignKey("meter.id"), primary_key=True, nullable=False),
        sa.Column("old_meter_id", sa.Uuid(), sa.ForeignKey("meter.id"), nullable=False, unique=True),
        sa.Column("owner_id", sa.Uuid(), sa.ForeignKey("organisation.id"), nullable=False, index=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("new_meter_id <> old_meter_id", name="meter_replacement_two_meters"),
    )
    op.create_table(
        "machine_swap",
        sa.Column("id", sa.Uuid(), primary_key=True, nullable=False),
        sa.Column("lease_id", sa.Uuid(), sa.ForeignKey("lease.id"), nullable=False),
        *(
            sa.Column(name, sa.Uuid(), sa.ForeignKey("organisation.id"), nullable=False)
            for name in ("lessor_id", "lessee_id")
        ),
        sa.Column("machine_id", sa.Uuid(), sa.ForeignKey("machine.id"), nullable=False),
        sa.Column("meter_id", sa.Uuid(), sa.ForeignKey("meter.id"), nullable=False),
        sa.Column("meter_serial", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("lease_id", "at", name="machine_swap_moment"),
    )
    for table, parties in (("meter_replacement", ["owner_id"]), ("machine_swap", ["lessor_id", "lessee_id"])):
        for statement in protect(table, parties):
            op.execute(statement)
    # Told once by the worker, and a fact from then on.
    op.execute("REVOKE INSERT, UPDATE ON meter_replacement, machine_swap FROM spindleshare_app")
    op.execute("REVOKE UPDATE ON meter_replacement, machine_swap FROM spindleshare_worker")


def downgrade() -> None:
    op.drop_table("machine_swap")
    op.drop_table("meter_replacement")
