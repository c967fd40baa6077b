"""Usage that was timed by a clock not known to be right.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What is stored already is told apart by its readings' own quality: a quarter hour is only as good as its readings.
    op.add_column("usage", sa.Column("unsynchronised", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(
        "UPDATE usage u SET unsynchronised = true WHERE EXISTS (SELECT FROM reading r WHERE r.meter_id = u.meter_id "
        "AND r.sequence BETWEEN u.first_sequence AND u.last_sequence AND r.time_quality <> 'S')"
    )
    op.alter_column("usage", "unsynchronised", server_default=None)


def downgrade() -> None:
    op.drop_column("usage", "unsynchronised")
