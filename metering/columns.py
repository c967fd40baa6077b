"""Readings as PostgreSQL's binary COPY rows: the quickest way in, and the only one besides plain statements.

The format is PostgreSQL's own (documentation of COPY, "Binary Format"; arrays as their send functions write them). Rows
with arrays of the same lengths have the same form, so that they are written column by column, all at once.
"""

import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from metering.batch.block import Integers, letters, ms_of
from metering.batch.taken import Taken

COLUMNS = (
    "meter_id, sequence, owner_id, pagination, device_time, time_quality, reason, status, replayed, "
    "gap_start, gap_end, registers, spectrum_cells, spectrum_ms"
)
COPY_READINGS = f"COPY reading_stored ({COLUMNS}) FROM STDIN (FORMAT BINARY)"
_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_TRAILER = struct.pack(">h", -1)
_NULL = -1
_EPOCH_MS = 946_684_800_000
"""PostgreSQL's own epoch, 2000-01-01, on ours."""
_ARRAYS = {"registers": (20, ">i8"), "spectrum_cells": (23, ">i4"), "spectrum_ms": (20, ">i8")}
"""Of each array column its elements' type: PostgreSQL's number of it, and how it is written."""
_TYPES = {
    "meter_id": "V16",
    "owner_id": "V16",
    "sequence": ">i8",
    "pagination": ">i8",
    "device_time": ">i8",
    "gap_start": ">i8",
    "gap_end": ">i8",
    "time_quality": "S1",
    "reason": "S1",
    "status": "S1",
    "replayed": "?",
}
_Rows = npt.NDArray[np.void]


def copy_rows(taken: Taken, *, meter_id: UUID, owner_id: UUID) -> list[bytes]:
    """The readings of `taken` as rows; one piece of many rows for each number of cells that a reading has."""
    block, growth = taken.block, taken.growth
    counts = np.bincount(growth.places, minlength=len(block))
    begins = np.cumsum(counts) - counts
    gapped = np.isin(np.arange(len(block)), list(block.gaps))
    pieces: list[bytes] = []
    for size, gap in sorted(set(zip(counts.tolist(), gapped.tolist(), strict=True))):
        places = np.flatnonzero((counts == size) & (gapped == gap))
        rows = np.full(len(places), _form(len(block.codes), size, gap, meter_id, owner_id))
        _fill(rows, taken, places)
        if size:
            cells = begins[places][:, None] + np.arange(size)
            rows["spectrum_cells"]["value"], rows["spectrum_ms"]["value"] = growth.cells[cells], growth.ms[cells]
        pieces.append(rows.tobytes())
    return pieces


def copy_readings(connection: Any, rows: Iterable[bytes]) -> None:
    """Send `rows` into the readings' leaf in the transaction of `connection` (psycopg's)."""
    with connection.cursor() as cursor, cursor.copy(COPY_READINGS) as copy:
        copy.write(b"".join((_HEADER, *rows, _TRAILER)))


def _fill(rows: _Rows, taken: Taken, places: Integers) -> None:
    block = taken.block
    per_reading = [head.count for head in taken.heads]
    rows["sequence"] = taken.first + places
    rows["pagination"] = np.repeat([head.pagination for head in taken.heads], per_reading)[places]
    rows["replayed"] = np.repeat([head.replayed for head in taken.heads], per_reading)[places]
    rows["device_time"] = _microseconds(block.times[places])
    for name, text in (("time_quality", block.qualities), ("reason", block.reasons), ("status", block.statuses)):
        rows[name] = letters(text)[places]
    rows["registers"]["value"] = block.values[places]
    for row, gap in enumerate(filter(None, map(block.gaps.get, places.tolist()))):
        rows["gap_start"][row] = _microseconds(ms_of(gap.start))
        rows["gap_end"][row] = _microseconds(ms_of(gap.end))


def _microseconds(ms: Any) -> Any:
    """PostgreSQL's time of a moment in milliseconds, or of many."""
    return (ms - _EPOCH_MS) * 1000


@lru_cache(maxsize=1024)
def _form(registers: int, cells: int, gap: bool, meter_id: UUID, owner_id: UUID) -> Any:
    """A row with everything but its figures: lengths, array heads, and whose it is."""
    sizes = {"registers": registers, "spectrum_cells": cells, "spectrum_ms": cells}
    fields = list(_fields(sizes, gap))
    form = np.zeros((), dtype=np.dtype([("columns", ">i2"), *((name, kind) for name, kind, _ in fields)]))
    form["columns"] = len(COLUMNS.split(", "))
    for name, _, value in fields:
        if value is not None:
            form[name] = value
    for name in sizes:
        if sizes[name]:
            form[name]["length"] = np.dtype(_ARRAYS[name][1]).itemsize
    form["meter_id"], form["owner_id"] = np.void(meter_id.bytes), np.void(owner_id.bytes)
    return form


def _fields(sizes: dict[str, int], gap: bool) -> Iterator[tuple[str, Any, Any]]:
    """(name, type, constant or None) of all that a row consists of: each column's length, then what it holds."""
    for name in COLUMNS.split(", "):
        if name in sizes:
            yield from _array_fields(name, sizes[name])
        elif name in ("gap_start", "gap_end") and not gap:
            yield f"{name} length", ">i4", _NULL
        else:
            yield f"{name} length", ">i4", np.dtype(_TYPES[name]).itemsize
            yield name, _TYPES[name], None


def _array_fields(name: str, size: int) -> Iterator[tuple[str, Any, Any]]:
    """Byte length, dimensions, no nulls, element type; and unless empty the size, the lower bound and the elements."""
    element, kind = _ARRAYS[name]
    head = ("bytes", "dimensions", "nulls", "element", "size", "lower")
    told = (20 + size * (4 + np.dtype(kind).itemsize), 1, 0, element, size, 1) if size else (12, 0, 0, element)
    yield from ((f"{name} {part}", ">i4", value) for part, value in zip(head, told, strict=False))
    if size:
        yield name, np.dtype((np.dtype([("length", ">i4"), ("value", kind)]), (size,))), None
