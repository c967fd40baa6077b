"""Agents' keys over their life: rotation, re-enrolment, revocation.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

from metering.parties.row_security import protect

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agent_key",
        sa.Column("agent_id", sa.Uuid(), sa.ForeignKey("agent.id"), primary_key=True, nullable=False),
        sa.Column("ordinal", sa.Integer(), primary_key=True, nullable=False, autoincrement=False),
        sa.Column("first_pagination", sa.BigInteger(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), sa.ForeignKey("organisation.id"), nullable=False, index=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("public_key_pem", "fingerprint", "reason")),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.execute(
        "INSERT INTO agent_key "
        "SELECT id, 1, 1, owner_id, public_key_pem, fingerprint, 'enrolled', enrolled_at FROM agent"
    )
    for statement in protect("agent_key", ["owner_id"]):
        op.execute(statement)
    # Whose key it was is a fact for ever: written by the worker, changed by nobody.
    op.execute("REVOKE INSERT, UPDATE ON agent_key FROM spindleshare_app")
    op.execute("REVOKE UPDATE ON agent_key FROM spindleshare_worker")
    op.add_column("agent", sa.Column("key_first", sa.BigInteger(), nullable=False, server_default="1"))
    op.alter_column("agent", "key_first", server_default=None)
    op.add_column("agent", sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("agent", sa.Column("revoked_why", sa.String(), nullable=False, server_default=""))
    op.alter_column("agent", "revoked_why", server_default=None)
    op.add_column("enrolment_code", sa.Column("replaces", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.alter_column("enrolment_code", "replaces", server_default=None)


def downgrade() -> None:
    op.drop_column("enrolment_code", "replaces")
    for name in ("revoked_why", "revoked_at", "key_first"):
        op.drop_column("agent", name)
    op.drop_table("agent_key")
