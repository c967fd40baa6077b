"""Sealed texts are stored as they are: compressing one took a third of the time of copying its hundred readings.

Revision ID: 0015
Revises: 0014
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE record ALTER COLUMN text SET STORAGE EXTERNAL")


def downgrade() -> None:
    op.execute("ALTER TABLE record ALTER COLUMN text SET STORAGE EXTENDED")
