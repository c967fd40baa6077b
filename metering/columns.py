"""Readings as PostgreSQL's binary COPY rows: the quickest way in, and the only one besides plain statements.

The format is PostgreSQL's own (documentation of COPY, "Binary Format"; arrays as their send functions write them).
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from metering.layout import Layout
from metering.reading import Reading

COLUMNS = (
    "meter_id, sequence, owner_id, pagination, device_time, time_quality, reason, status, replayed, "
    "gap_start, gap_end, registers, spectrum_cells, spectrum_ms"
)
COPY_READINGS = f"COPY reading_stored ({COLUMNS}) FROM STDIN (FORMAT BINARY)"
_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_TRAILER = struct.pack(">h", -1)
_NULL = struct.pack(">i", -1)
_MOMENT = struct.Struct(">iq")
# meter_id, sequence, owner_id, pagination, device_time, three letters, replayed
_FIXED = struct.Struct(">h i16s iq i16s iq iq i1s i1s i1s i?")
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_INT4, _INT8 = (23, "i", 4), (20, "q", 8)


def reading_row(
    reading: Reading, grown: Mapping[tuple[str, int], int], *, prefix: "RowPrefix", layout: Layout
) -> bytes:
    """One row: `grown` is the spectrum's growth since the reading before."""
    cells, ms = layout.cells(grown)
    fixed = _FIXED.pack(
        14,
        16,
        prefix.meter,
        8,
        reading.sequence,
        16,
        prefix.owner,
        8,
        prefix.pagination,
        8,
        _microseconds(reading.device_time),
        1,
        reading.time_quality.encode(),
        1,
        reading.reason.encode(),
        1,
        reading.status.encode(),
        1,
        prefix.replayed,
    )
    gap = reading.gap
    gaps = _moment(gap.start) + _moment(gap.end) if gap else _NULL + _NULL
    return b"".join(
        (fixed, gaps, _array(layout.values(reading.registers), _INT8), _array(cells, _INT4), _array(ms, _INT8))
    )


class RowPrefix:
    """What all readings of a record share."""

    __slots__ = ("meter", "owner", "pagination", "replayed")

    def __init__(self, meter: UUID, owner: UUID, pagination: int, replayed: bool) -> None:
        self.meter, self.owner, self.pagination, self.replayed = meter.bytes, owner.bytes, pagination, replayed


def copy_readings(connection: Any, rows: Iterable[bytes]) -> None:
    """Send `rows` into the readings' leaf in the transaction of `connection` (psycopg's)."""
    with connection.cursor() as cursor, cursor.copy(COPY_READINGS) as copy:
        copy.write(b"".join((_HEADER, *rows, _TRAILER)))


def _microseconds(moment: datetime) -> int:
    since = moment - _EPOCH
    return (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds


def _moment(moment: datetime) -> bytes:
    return _MOMENT.pack(8, _microseconds(moment))


def _array(values: Sequence[int], kind: tuple[int, str, int]) -> bytes:
    flat = [kind[2]] * (2 * len(values))
    flat[1::2] = values
    packer, head = _array_packer(len(values), kind)
    return packer.pack(*head, *flat)


@cache
def _array_packer(length: int, kind: tuple[int, str, int]) -> tuple[struct.Struct, tuple[int, ...]]:
    """A packer for arrays of `length`, and their head: byte length, dimensions, no nulls, type, size, lower bound."""
    oid, letter, width = kind
    if not length:
        return struct.Struct(">4i"), (12, 0, 0, oid)
    return struct.Struct(">6i" + f"i{letter}" * length), (20 + (4 + width) * length, 1, 0, oid, length, 1)
