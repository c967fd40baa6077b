"""The statements that every upload and every bill runs, given to the driver as they are.

Everything else in the stores is built by SQLAlchemy; here its share would be longer than the database's own.
"""

# ruff: noqa: S608 (only names of columns are put together here)

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session

READING_COLUMNS = (
    "sequence, device_time, time_quality, reason, status, registers, gap_start, gap_end, "
    "spectrum_cells, spectrum_ms, replayed"
)
_ROWS_A_STATEMENT = 16
USAGE_FIGURES = (
    "from_at, until_at, deltas, spectrum_cells, spectrum_ms, substitute, unsynchronised, replayed, "
    "first_sequence, last_sequence"
)
_TRUST = "public_key_pem, fingerprint, key_first, revoked_at, revoked_why"
AGENT_OF_TOKEN = (
    f"SELECT agent.id, meter_id, agent.owner_id, serial, model, agent.name, version, enrolled_at, {_TRUST} "
    "FROM agent JOIN meter ON meter.id = meter_id JOIN machine ON machine.id = machine_id WHERE token_hash = %s"
)
# The row as it is once the lock is held, whatever was committed while this waited for it.
LOCK_CHAIN = (
    f"SELECT pagination, sequence, digest, spectrum_cells, spectrum_ms, {_TRUST} FROM agent WHERE id = %s FOR UPDATE"
)
TRUST = f"SELECT {_TRUST} FROM agent WHERE id = %s"
MOVE_CHAIN = (
    "UPDATE agent SET pagination = %s, sequence = %s, digest = %s, spectrum_cells = %s, spectrum_ms = %s, "
    "last_seen_at = %s WHERE id = %s"
)
LAYOUT = "SELECT register_codes, spindles FROM meter WHERE id = %s"
LAYOUTS = "SELECT id, register_codes FROM meter WHERE id = ANY(%b::uuid[])"
METERS_BESIDE = (
    "SELECT beside.id, beside.machine_id, beside.owner_id, beside.serial, beside.register_codes, beside.spindles, "
    "old_meter_id, new_meter_id, at, reason FROM meter AS asked JOIN meter AS beside USING (machine_id) "
    "LEFT JOIN meter_replacement AS told ON new_meter_id = beside.id "
    "AND told.recorded_at <= coalesce(%s::timestamptz, 'infinity') "
    "WHERE asked.id = %s"
)
LAYOUT_AND_MOMENT = (
    f"SELECT register_codes, spindles, {READING_COLUMNS} FROM meter LEFT JOIN reading ON meter_id = id "
    "AND sequence <= %s AND device_time = (SELECT device_time FROM reading WHERE meter_id = %s AND sequence = %s) "
    "WHERE id = %s ORDER BY sequence"
)
WIDEN_LAYOUT = "UPDATE meter SET register_codes = %s, spindles = %s WHERE id = %s"
# Arrays in binary: as text every quotation mark of a sealed text would be escaped, and read again.
ADD_RECORDS = (
    "INSERT INTO record (meter_id, owner_id, agent_id, recorded_at, pagination, digest, first_sequence, "
    "last_sequence, replayed, text) SELECT %s, %s, %s, %s, one.* FROM unnest(%b::bigint[], %b::text[], %b::bigint[], "
    "%b::bigint[], %b::boolean[], %b::text[]) AS one"
)
ONE_READING = f"SELECT {READING_COLUMNS} FROM reading WHERE meter_id = %s AND sequence = %s"
READINGS_BEFORE = (
    f"SELECT {READING_COLUMNS} FROM reading WHERE meter_id = %s AND sequence < %s AND device_time >= coalesce("
    "(SELECT max(device_time) FROM reading WHERE meter_id = %s AND device_time <= %s), '-infinity') ORDER BY sequence"
)
_BEFORE, _AFTER = (", ".join(f"{side}.{name}" for name in READING_COLUMNS.split(", ")) for side in ("b", "a"))
READINGS_AROUND = (
    f"SELECT w.at, {_BEFORE}, {_AFTER} FROM unnest(%s::timestamptz[]) AS w(at) "
    "LEFT JOIN LATERAL (SELECT * FROM reading WHERE meter_id = %s AND device_time <= w.at "
    "ORDER BY device_time DESC, sequence DESC LIMIT 1) b ON true "
    "LEFT JOIN LATERAL (SELECT * FROM reading WHERE meter_id = %s AND device_time >= w.at "
    "ORDER BY device_time, sequence LIMIT 1) a ON true"
)
SCHEDULE_STANDING = (
    "SELECT s.number, s.issued_at, s.valid_until, s.changes = "
    "(SELECT count(*) + count(withdrawn_at) FROM meter_session m "
    "WHERE m.meter_id = s.meter_id AND m.ends_at > s.issued_at), CASE WHEN s.number > %s THEN s.text END, "
    "r.device_time, r.replayed FROM (SELECT * FROM cut_schedule WHERE meter_id = %s ORDER BY number DESC LIMIT 1) s "
    "LEFT JOIN LATERAL (SELECT device_time, replayed FROM reading WHERE meter_id = s.meter_id "
    "ORDER BY sequence DESC LIMIT 1) r ON true"
)
CURRENT_USAGE = (
    f"SELECT starts_at, revision, is_open, {USAGE_FIGURES} FROM usage "
    "WHERE meter_id = %s AND starts_at BETWEEN %s AND %s AND superseded_at IS NULL"
)
_USAGE_OF_TIME = f"SELECT {USAGE_FIGURES} FROM usage WHERE meter_id = %s AND starts_at >= %s AND starts_at < %s AND"
USAGE_NOW = f"{_USAGE_OF_TIME} superseded_at IS NULL ORDER BY starts_at"
USAGE_KNOWN_AT = (
    f"{_USAGE_OF_TIME} recorded_at <= %s AND (superseded_at IS NULL OR superseded_at > %s) ORDER BY starts_at"
)
_ADD_USAGE = (
    f"INSERT INTO usage (meter_id, owner_id, recorded_at, starts_at, revision, is_open, {USAGE_FIGURES}) VALUES "
)
_USAGE_ROW = "(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
GROW_USAGE = (
    "UPDATE usage SET recorded_at = %s, is_open = %s, from_at = %s, until_at = %s, deltas = %s, spectrum_cells = %s, "
    "spectrum_ms = %s, substitute = %s, unsynchronised = %s, replayed = %s, first_sequence = %s, last_sequence = %s "
    "WHERE meter_id = %s AND starts_at = %s AND revision = %s"
)
SUPERSEDE_USAGE = "UPDATE usage SET superseded_at = %s WHERE meter_id = %s AND starts_at = %s AND revision = %s"


def driver(session: Session) -> Any:
    """The session's psycopg connection, in the session's transaction."""
    return session.connection().connection.driver_connection


def run(session: Session, statement: str, values: Sequence[Any]) -> list[Any]:
    """Run one statement; its rows, if it gives any."""
    with driver(session).cursor(binary=True) as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def array_text(numbers: Sequence[int]) -> str:
    """Integers as PostgreSQL writes an array: the driver's own way looks at each of them several times."""
    return f"{{{','.join(map(str, numbers))}}}"


def add_usage(session: Session, rows: Sequence[Sequence[Any]]) -> None:
    """Add rows of usage, as many a statement as an upload mostly brings: each number is prepared once."""
    for first in range(0, len(rows), _ROWS_A_STATEMENT):
        some = rows[first : first + _ROWS_A_STATEMENT]
        values = [array_text(value) if isinstance(value, list) else value for row in some for value in row]
        run(session, _ADD_USAGE + ", ".join([_USAGE_ROW] * len(some)), values)
