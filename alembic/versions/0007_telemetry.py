"""The manifest of raw telemetry. The telemetry itself is in files.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

from metering.parties.row_security import protect

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "telemetry_segment",
        sa.Column("meter_id", sa.Uuid(), sa.ForeignKey("meter.id"), primary_key=True, nullable=False),
        sa.Column("number", sa.BigInteger(), primary_key=True, nullable=False, autoincrement=False),
        sa.Column("digest", sa.String(64), primary_key=True, nullable=False),
        sa.Column("owner_id", sa.Uuid(), sa.ForeignKey("organisation.id"), nullable=False, index=True),
        sa.Column("machine_id", sa.Uuid(), sa.ForeignKey("machine.id"), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("first_row", "next_row", "from_ms", "until_ms", "life_end_ms")
        ),
        sa.Column("policy", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("thinned", sa.Boolean(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.String(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("forgotten_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.create_index(
        "ix_telemetry_segment_stored",
        "telemetry_segment",
        ["meter_id", "number"],
        unique=True,
        postgresql_where=sa.text("refused IS NULL"),
    )
    for statement in protect("telemetry_segment", ["owner_id"]):
        op.execute(statement)
    # What arrived is noted by the worker only.
    op.execute("REVOKE INSERT, UPDATE ON telemetry_segment FROM spindleshare_app")


def downgrade() -> None:
    op.drop_table("telemetry_segment")
