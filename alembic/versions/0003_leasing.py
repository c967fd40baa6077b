"""Tariff versions, listings, leases, bookings without overlap, and lease facts.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from metering.parties.row_security import APP, PARTY, protect

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TENANTS = {
    "tariff_version": ["owner_id"],
    "listing": ["lessor_id"],
    "lease": ["lessor_id", "lessee_id"],
    "booking": ["lessor_id", "lessee_id"],
    "lease_fact": ["lessor_id", "lessee_id"],
}


def uuid(name: str, to: str | None = None, **options: object) -> sa.Column[object]:
    target = [sa.ForeignKey(to)] if to else []
    return sa.Column(name, sa.Uuid(), *target, **{"nullable": False, **options})


def text(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Text(), nullable=False)


def letters(name: str, length: int) -> sa.Column[object]:
    return sa.Column(name, sa.CHAR(length), nullable=False)


def moment(name: str, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def parties() -> list[sa.Column[object]]:
    return [uuid("lessor_id", "organisation.id"), uuid("lessee_id", "organisation.id")]


def upgrade() -> None:
    # For `machine_id =` inside an exclusion constraint; trusted, so the owner of the tables may make it. It stays
    # on the way down: it may have been there before.
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    _tariffs()
    _leases()
    _bookings()
    _facts()
    for table, columns in _TENANTS.items():
        for statement in protect(table, columns):
            op.execute(statement)
    _rights()


def _tariffs() -> None:
    op.create_table(
        "tariff_version",
        uuid("id", primary_key=True),
        uuid("owner_id", "organisation.id"),
        text("code"),
        sa.Column("version", sa.Integer(), nullable=False),
        text("title"),
        letters("currency", 3),
        text("content"),
        letters("digest", 64),
        moment("recorded_at"),
        sa.UniqueConstraint("owner_id", "code", "version", name="tariff_version_once"),
        sa.CheckConstraint("digest = encode(sha256(convert_to(content, 'UTF8')), 'hex')", name="tariff_version_digest"),
    )
    op.create_table(
        "listing",
        uuid("machine_id", "machine.id", primary_key=True),
        uuid("meter_id", "meter.id"),
        text("meter_serial"),
        uuid("lessor_id", "organisation.id"),
        text("title"),
        text("zone"),
        letters("currency", 3),
        uuid("tariff_version_id", "tariff_version.id"),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        moment("recorded_at"),
    )


def _leases() -> None:
    op.create_table(
        "lease",
        uuid("id", primary_key=True),
        text("kind"),
        uuid("machine_id", "machine.id"),
        uuid("meter_id", "meter.id"),
        text("meter_serial"),
        *parties(),
        uuid("tariff_version_id", "tariff_version.id"),
        letters("currency", 3),
        text("zone"),
        moment("starts"),
        moment("ends", nullable=True),
        moment("recorded_at"),
        sa.CheckConstraint("kind IN ('booking', 'open_ended')", name="lease_kind"),
        sa.CheckConstraint("ends IS NULL OR ends > starts", name="lease_ends_after_start"),
        sa.CheckConstraint("ends IS NOT NULL OR kind = 'open_ended'", name="lease_of_a_booking_ends"),
        sa.CheckConstraint("lessor_id <> lessee_id", name="lease_two_parties"),
        sa.Index("lease_machine", "machine_id", "starts"),
        sa.Index("lease_lessee", "lessee_id"),
        sa.Index("lease_tariff_version", "tariff_version_id"),
    )


def _bookings() -> None:
    op.create_table(
        "booking",
        uuid("id", primary_key=True),
        uuid("lease_id", "lease.id"),
        uuid("machine_id", "machine.id"),
        *parties(),
        sa.Column("slot", postgresql.TSTZRANGE(), nullable=False),
        text("status"),
        moment("recorded_at"),
        moment("cancelled_at", nullable=True),
        sa.CheckConstraint("status IN ('confirmed', 'cancelled')", name="booking_status"),
        sa.CheckConstraint(
            "lower_inc(slot) AND NOT upper_inc(slot) AND NOT isempty(slot) AND NOT lower_inf(slot)"
            " AND NOT upper_inf(slot)",
            name="booking_half_open",
        ),
        postgresql.ExcludeConstraint(
            ("machine_id", "="), ("slot", "&&"), where="status = 'confirmed'", using="gist", name="booking_no_overlap"
        ),
        sa.Index("booking_lease", "lease_id"),
        sa.Index("booking_lessee", "lessee_id"),
    )


def _facts() -> None:
    op.create_table(
        "lease_fact",
        uuid("id", primary_key=True),
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        uuid("lease_id", "lease.id"),
        *parties(),
        text("kind"),
        moment("at"),
        sa.Column("quantity", sa.Numeric(), nullable=False),
        sa.Column("price", sa.Numeric(), nullable=True),
        text("description"),
        sa.Column("evidence", postgresql.JSONB(), nullable=False),
        moment("recorded_at"),
        sa.Index("lease_fact_lease", "lease_id", "at"),
    )


def _rights() -> None:
    """Prices and facts are never changed; a fact is put on record by the lessor; an open listing is for everybody."""
    op.execute("REVOKE UPDATE ON tariff_version, lease_fact FROM spindleshare_app, spindleshare_worker")
    only_lessor = f"AS RESTRICTIVE FOR INSERT TO {APP} WITH CHECK (lessor_id = {PARTY})"
    op.execute(f"CREATE POLICY lessor_records ON lease_fact {only_lessor}")
    op.execute(f"CREATE POLICY listed ON listing FOR SELECT TO {APP} USING (is_open)")
    # Row security applies inside the subqueries too: an open listing, or a lease of one's own.
    op.execute(
        "CREATE POLICY listed_or_leased ON tariff_version FOR SELECT TO spindleshare_app USING ("
        "EXISTS (SELECT FROM listing WHERE listing.tariff_version_id = tariff_version.id) OR "
        "EXISTS (SELECT FROM lease WHERE lease.tariff_version_id = tariff_version.id))"
    )


def downgrade() -> None:
    op.execute("DROP POLICY listed_or_leased ON tariff_version")
    for table in ("lease_fact", "booking", "lease", "listing", "tariff_version"):
        op.drop_table(table)
