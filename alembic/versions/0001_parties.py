"""Organisations, their users, and row-level security by party.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

from metering.parties.row_security import FUNCTIONS, protect, protect_acquaintance, protect_organisation

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# A new table: the service reads and writes rows, the analyst reads. A right to delete is granted by name where it is
# meant, and append-only tables take UPDATE back.
_DEFAULTS = (
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public {verb} SELECT ON TABLES {to} spindleshare_analyst",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public {verb} SELECT, INSERT, UPDATE ON TABLES {to} "
    "spindleshare_app, spindleshare_worker",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public {verb} USAGE ON SEQUENCES {to} spindleshare_app, spindleshare_worker",
)
_USER_COLUMNS_FOR_ANALYSIS = "id, organisation_id, email, name, role, recorded_at"


def upgrade() -> None:
    for statement in _DEFAULTS:
        op.execute(statement.format(verb="GRANT", to="TO"))
    op.execute("GRANT SELECT ON alembic_version TO spindleshare_app, spindleshare_worker, spindleshare_analyst")
    for function in FUNCTIONS:
        op.execute(function)
    op.create_table(
        "organisation",
        sa.Column("id", sa.Uuid(), primary_key=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("name", "street", "postcode", "city")),
        sa.Column("country", sa.String(2), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("vat_id", "email", "iban", "zone")),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "acquaintance",
        sa.Column("organisation_id", sa.Uuid(), sa.ForeignKey("organisation.id"), primary_key=True),
        sa.Column("known_id", sa.Uuid(), sa.ForeignKey("organisation.id"), primary_key=True),
    )
    op.create_table(
        "user_account",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("organisation_id", sa.Uuid(), sa.ForeignKey("organisation.id"), nullable=False, index=True),
        sa.Column("email", sa.String(), nullable=False, unique=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("name", "role", "password_hash")),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.execute("REVOKE INSERT, UPDATE ON acquaintance FROM spindleshare_app")
    op.execute("REVOKE SELECT ON user_account FROM spindleshare_analyst")
    op.execute(f"GRANT SELECT ({_USER_COLUMNS_FOR_ANALYSIS}) ON user_account TO spindleshare_analyst")
    for statement in (
        *protect_organisation(),
        *protect_acquaintance(),
        *protect("user_account", ["organisation_id"]),
    ):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP POLICY seen ON organisation")
    for table in ("user_account", "acquaintance", "organisation"):
        op.drop_table(table)
    op.execute("DROP FUNCTION spindleshare_introduce()")
    op.execute("DROP FUNCTION spindleshare_party()")
    op.execute("REVOKE SELECT ON alembic_version FROM spindleshare_app, spindleshare_worker, spindleshare_analyst")
    for statement in _DEFAULTS:
        op.execute(statement.format(verb="REVOKE", to="FROM"))
