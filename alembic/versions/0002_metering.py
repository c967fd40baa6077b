"""Machines, meters, agents, sealed records, readings and usage.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from metering.parties.row_security import APP, PARTY, protect

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_MINE = "owner_id"
# What a lessee may see of a meter: only while it had access. Evaluated per row, so the moment's column is a parameter.
_ACCESS = f"EXISTS (SELECT FROM meter_access a WHERE a.meter_id = {{meter}} AND a.party_id = {PARTY}{{when}})"
_WITHIN = " AND a.during @> {table}.{moment}"


def uuid(name: str, *to: str, **options: object) -> sa.Column[object]:
    return sa.Column(name, sa.Uuid(), *(sa.ForeignKey(target) for target in to), **{"nullable": False, **options})


def text(name: str, length: int | None = None, **options: object) -> sa.Column[object]:
    return sa.Column(name, sa.String(length), **{"nullable": False, **options})


def moment(name: str, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def number(name: str, **options: object) -> sa.Column[object]:
    return sa.Column(name, sa.BigInteger(), **{"nullable": False, **options})


def flag(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def array(name: str, of: type[sa.types.TypeEngine[object]]) -> sa.Column[object]:
    return sa.Column(name, sa.ARRAY(of()), nullable=False)


def owner(**options: object) -> sa.Column[object]:
    return uuid("owner_id", "organisation.id", **options)


def upgrade() -> None:
    _machines()
    _agents()
    _records()
    _readings()
    _usage()
    for table in ("machine", "meter", "agent", "enrolment_code", "record", "refused_record", "reading", "usage"):
        _run(protect(table, [_MINE]))
    _run(protect("meter_access", ["owner_id", "party_id"]))
    _lessees()
    _rights()


def _machines() -> None:
    op.create_table(
        "machine",
        uuid("id", primary_key=True),
        owner(index=True),
        *map(text, ("name", "model", "zone")),
        moment("recorded_at"),
    )
    op.create_table(
        "meter",
        uuid("id", primary_key=True),
        uuid("machine_id", "machine.id", index=True),
        owner(index=True),
        text("serial", unique=True),
        array("register_codes", sa.Text),
        array("spindles", sa.Text),
        moment("recorded_at"),
    )
    op.create_table(
        "meter_access",
        uuid("id", primary_key=True),
        uuid("meter_id", "meter.id"),
        owner(),
        uuid("party_id", "organisation.id"),
        sa.Column("during", postgresql.TSTZRANGE(), nullable=False),
        moment("recorded_at"),
        sa.Index("ix_meter_access_party", "party_id", "meter_id"),
    )


def _agents() -> None:
    op.create_table(
        "agent",
        uuid("id", primary_key=True),
        uuid("meter_id", "meter.id", unique=True),
        owner(index=True),
        *map(text, ("name", "version", "public_key_pem", "fingerprint")),
        text("token_hash", unique=True),
        moment("enrolled_at"),
        moment("last_seen_at", nullable=True),
        number("pagination"),
        number("sequence"),
        text("digest", 64),
        array("spectrum_cells", sa.Integer),
        array("spectrum_ms", sa.BigInteger),
    )
    op.create_table(
        "enrolment_code",
        text("code_hash", 64, primary_key=True),
        uuid("meter_id", "meter.id", index=True),
        owner(index=True),
        text("salt"),
        moment("expires_at"),
        uuid("agent_id", "agent.id", nullable=True),
        moment("redeemed_at", nullable=True),
        moment("recorded_at"),
    )


def _records() -> None:
    op.create_table(
        "record",
        uuid("meter_id", "meter.id", primary_key=True),
        number("pagination", primary_key=True, autoincrement=False),
        owner(),
        uuid("agent_id", "agent.id"),
        text("digest", 64),
        number("first_sequence"),
        number("last_sequence"),
        flag("replayed"),
        sa.Column("text", sa.Text(), nullable=False),
        moment("recorded_at"),
        sa.Index("ix_record_sequence", "meter_id", "last_sequence"),
    )
    op.create_table(
        "refused_record",
        uuid("id", primary_key=True),
        uuid("agent_id", "agent.id"),
        uuid("meter_id", "meter.id", index=True),
        owner(index=True),
        text("digest", 64),
        number("pagination", nullable=True),
        text("reason"),
        sa.Column("text", sa.Text(), nullable=False),
        moment("recorded_at"),
    )


def _readings() -> None:
    op.create_table(
        "reading",
        uuid("meter_id", primary_key=True),
        number("sequence", primary_key=True, autoincrement=False),
        uuid("owner_id"),
        number("pagination"),
        moment("device_time"),
        *(text(name, 1) for name in ("time_quality", "reason", "status")),
        flag("replayed"),
        moment("gap_start", nullable=True),
        moment("gap_end", nullable=True),
        array("registers", sa.BigInteger),
        array("spectrum_cells", sa.Integer),
        array("spectrum_ms", sa.BigInteger),
        postgresql_partition_by="LIST (meter_id)",
    )
    op.create_index("ix_reading_time", "reading", ["meter_id", "device_time", "sequence"])
    op.execute("CREATE TABLE reading_stored PARTITION OF reading DEFAULT")
    op.execute("ALTER INDEX reading_stored_meter_id_device_time_sequence_idx RENAME TO ix_reading_stored_time")


def _usage() -> None:
    op.create_table(
        "usage",
        uuid("meter_id", "meter.id", primary_key=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("revision", sa.Integer(), primary_key=True, autoincrement=False),
        owner(),
        moment("from_at"),
        moment("until_at"),
        flag("is_open"),
        array("deltas", sa.BigInteger),
        array("spectrum_cells", sa.Integer),
        array("spectrum_ms", sa.BigInteger),
        flag("substitute"),
        flag("replayed"),
        number("first_sequence"),
        number("last_sequence"),
        moment("recorded_at"),
        moment("superseded_at", nullable=True),
    )
    current = sa.text("superseded_at IS NULL")
    op.create_index("ix_usage_current", "usage", ["meter_id", "starts_at"], unique=True, postgresql_where=current)


def _lessees() -> None:
    """Beside the owner, a party with access sees the machine, its meter, and what was measured in its time."""
    of_machine = (
        f"EXISTS (SELECT FROM meter_access a JOIN meter m ON m.id = a.meter_id "
        f"WHERE m.machine_id = machine.id AND a.party_id = {PARTY})"
    )
    seen = {
        "machine": of_machine,
        "meter": _ACCESS.format(meter="meter.id", when=""),
        "reading": _ACCESS.format(meter="reading.meter_id", when=_WITHIN.format(table="reading", moment="device_time")),
        "usage": _ACCESS.format(meter="usage.meter_id", when=_WITHIN.format(table="usage", moment="starts_at")),
    }
    for table, condition in seen.items():
        op.execute(f"CREATE POLICY lessee ON {table} FOR SELECT TO {APP} USING ({condition})")


def _rights() -> None:
    """What is measured is written by the worker only, and what is sealed or signed is never changed by anybody."""
    written_by_worker = "agent, record, refused_record, reading, usage, meter_access"
    op.execute(f"REVOKE INSERT, UPDATE ON {written_by_worker} FROM spindleshare_app")
    op.execute("REVOKE UPDATE ON record, refused_record, reading, reading_stored FROM spindleshare_worker")
    # The leaf has no row-level security, which COPY does not work with: nobody else may come near it.
    op.execute("REVOKE ALL ON reading_stored FROM spindleshare_app, spindleshare_analyst")
    op.execute("REVOKE SELECT ON agent, enrolment_code FROM spindleshare_analyst")


def _run(statements: list[str]) -> None:
    for statement in statements:
        op.execute(statement)


def downgrade() -> None:
    for table in ("machine", "meter", "reading", "usage"):
        op.execute(f"DROP POLICY lessee ON {table}")
    for table in ("usage", "reading", "refused_record", "record", "enrolment_code", "agent"):
        op.drop_table(table)
    for table in ("meter_access", "meter", "machine"):
        op.drop_table(table)
