"""Components of machines, and everything that was told of them.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from metering.parties.row_security import protect

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "component",
        sa.Column("id", sa.Uuid(), primary_key=True, nullable=False),
        sa.Column("machine_id", sa.Uuid(), sa.ForeignKey("machine.id"), nullable=False, index=True),
        _owner(),
        *_texts("name", "kind"),
        _moment("recorded_at"),
    )
    op.create_table(
        "component_entry",
        sa.Column("component_id", sa.Uuid(), sa.ForeignKey("component.id"), primary_key=True, nullable=False),
        sa.Column("number", sa.Integer(), primary_key=True, nullable=False, autoincrement=False),
        _owner(),
        *_texts("what"),
        _moment("valid_from"),
        sa.Column("parameters", postgresql.JSONB(), nullable=True),
        *_texts("serial"),
        sa.Column("used_share", sa.Numeric(), nullable=False),
        sa.Column("withdraws", sa.Integer(), nullable=True),
        *_texts("why", "recorded_by"),
        _moment("recorded_at"),
        sa.CheckConstraint("what IN ('parameters', 'fitted', 'withdrawn')", name="component_entry_what"),
        sa.CheckConstraint("(what = 'parameters') = (parameters IS NOT NULL)", name="component_entry_parameters"),
        sa.CheckConstraint("(what = 'withdrawn') = (withdraws IS NOT NULL)", name="component_entry_withdraws"),
    )
    for table in ("component", "component_entry"):
        for statement in protect(table, ["owner_id"]):
            op.execute(statement)
        # What was told stays: a correction is another entry.
        op.execute(f"REVOKE UPDATE ON {table} FROM spindleshare_app, spindleshare_worker")


def downgrade() -> None:
    op.drop_table("component_entry")
    op.drop_table("component")


def _owner() -> sa.Column[object]:
    return sa.Column("owner_id", sa.Uuid(), sa.ForeignKey("organisation.id"), nullable=False, index=True)


def _texts(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)
