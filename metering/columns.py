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
_COUNT = len(COLUMNS.split(","))
_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_TRAILER = struct.pack(">h", -1)
_NULL = -1
# Each field is its length and its bytes: meter, sequence, owner, pagination, device time, three letters, replayed.
_FIXED = ">h i16s iq i16s iq iq i1s i1s i1s i?"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_INT4, _INT8 = 23, 20
_WIDTH = {_INT4: ("i", 4), _INT8: ("q", 8)}


class RowMaker:
    """Makes the rows of one record's readings."""

    def __init__(self, meter: UUID, owner: UUID, pagination: int, replayed: bool, layout: Layout) -> None:
        self._meter, self._owner, self._pagination, self._replayed = meter.bytes, owner.bytes, pagination, replayed
        self._layout = layout

    def row(self, reading: Reading, grown: Mapping[tuple[str, int], int]) -> bytes:
        """One row; `grown` is the spectrum's growth since the reading before."""
        values = self._layout.values(reading.registers)
        cells, ms = self._layout.cells(grown)
        gap = reading.gap
        packer, heads = _row_packer(len(values), len(cells), gap is not None)
        return packer.pack(
            _COUNT,
            16,
            self._meter,
            8,
            reading.sequence,
            16,
            self._owner,
            8,
            self._pagination,
            8,
            _microseconds(reading.device_time),
            1,
            reading.time_quality.encode(),
            1,
            reading.reason.encode(),
            1,
            reading.status.encode(),
            1,
            self._replayed,
            *((8, _microseconds(gap.start), 8, _microseconds(gap.end)) if gap else (_NULL, _NULL)),
            *heads[0],
            *_with_widths(values, 8),
            *heads[1],
            *_with_widths(cells, 4),
            *heads[2],
            *_with_widths(ms, 8),
        )


def copy_readings(connection: Any, rows: Iterable[bytes]) -> None:
    """Send `rows` into the readings' leaf in the transaction of `connection` (psycopg's)."""
    with connection.cursor() as cursor, cursor.copy(COPY_READINGS) as copy:
        copy.write(b"".join((_HEADER, *rows, _TRAILER)))


def _microseconds(moment: datetime) -> int:
    since = moment - _EPOCH
    return (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds


def _with_widths(values: Sequence[int], width: int) -> list[int]:
    flat = [width] * (2 * len(values))
    flat[1::2] = values
    return flat


@cache
def _row_packer(registers: int, cells: int, gap: bool) -> tuple[struct.Struct, tuple[tuple[int, ...], ...]]:
    """A packer for rows with arrays of these lengths, and the arrays' heads."""
    shapes = ((registers, _INT8), (cells, _INT4), (cells, _INT8))
    letters = "".join(("6i" if size else "4i") + f"i{_WIDTH[oid][0]}" * size for size, oid in shapes)
    return struct.Struct(_FIXED + ("iqiq" if gap else "ii") + letters), tuple(_array_head(*shape) for shape in shapes)


def _array_head(size: int, oid: int) -> tuple[int, ...]:
    """Byte length, dimensions, no nulls, element type; and unless empty the size and the lower bound."""
    return (20 + (4 + _WIDTH[oid][1]) * size, 1, 0, oid, size, 1) if size else (12, 0, 0, oid)
