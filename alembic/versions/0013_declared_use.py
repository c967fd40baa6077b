"""What owners declare of their machines' use outside bookings.

Revision ID: 0013
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from metering.parties.row_security import protect

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "use_declaration",
        sa.Column("id", sa.Uuid(), primary_key=True, nullable=False),
        sa.Column("machine_id", sa.Uuid(), sa.ForeignKey("machine.id"), nullable=False),
        sa.Column("owner_id", sa.Uuid(), sa.ForeignKey("organisation.id"), nullable=False, index=True),
        sa.Column("during", postgresql.TSTZRANGE(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('own_use', 'maintenance', 'trial')", name="use_declaration_kind"),
    )
    op.create_index("ix_use_declaration_machine", "use_declaration", ["machine_id", "during"], postgresql_using="gist")
    op.create_table(
        "use_withdrawal",
        sa.Column("declaration_id", sa.Uuid(), sa.ForeignKey("use_declaration.id"), primary_key=True, nullable=False),
        sa.Column("owner_id", sa.Uuid(), sa.ForeignKey("organisation.id"), nullable=False, index=True),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
    )
    for table in ("use_declaration", "use_withdrawal"):
        for statement in protect(table, ["owner_id"]):
            op.execute(statement)
        # An owner's word stays as it was given; what was wrong is withdrawn, not changed.
        op.execute(f"REVOKE UPDATE ON {table} FROM spindleshare_app, spindleshare_worker")


def downgrade() -> None:
    op.drop_table("use_withdrawal")
    op.drop_table("use_declaration")
