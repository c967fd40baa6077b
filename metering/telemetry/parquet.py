"""Telemetry as Parquet: the only place where pyarrow reads and writes it.

Partitions `machine=<id>/day=YYYY-MM-DD`, by the day (UTC) on which a row took effect. Within one, a file holds the rows
of the segments that its name tells, `<meter>-<first>-<last>.parquet`. A file appears whole or not at all.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from metering.telemetry.segment import Segment, Value, effective
from metering.telemetry.stretch import POLICY, Stretch

SCHEMA = pa.schema(
    [
        pa.field("meter", pa.string(), nullable=False),
        pa.field("segment", pa.int64(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("at_ms", pa.int64(), nullable=False),
        pa.field("source_us", pa.int64(), nullable=False),
        pa.field("signal", pa.string(), nullable=False),
        pa.field("number", pa.int64()),
        pa.field("word", pa.string()),
        pa.field("flag", pa.bool_()),
        pa.field("news", pa.bool_(), nullable=False),
        pa.field("role", pa.int8(), nullable=False),
        pa.field("carry", pa.int64()),
    ]
)
"""`role`: 0 an observation, 1 what was in force before the segment's first row. `at_ms`: when it took effect."""

OBSERVATION, IN_FORCE = 0, 1
_DAY_MS = 86_400_000


@dataclass(slots=True)
class Columns:
    """Rows being gathered, column by column."""

    values: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in SCHEMA.names})

    def add(self, row: Mapping[str, object], value: Value) -> None:
        typed: dict[str, object] = {"number": None, "word": None, "flag": None}
        if isinstance(value, bool):
            typed["flag"] = value
        elif isinstance(value, int):
            typed["number"] = value
        elif isinstance(value, str):
            typed["word"] = value
        for name, cell in {**row, **typed}.items():
            self.values[name].append(cell)

    def table(self) -> pa.Table:
        return pa.table(self.values, schema=SCHEMA)


def day_of(at_ms: int) -> str:
    """The UTC day of a moment, such as 2026-03-02."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).date().isoformat()


def tables(segment: Segment, meter: str) -> dict[str, pa.Table]:
    """The segment's rows by day. What was in force before its first row goes to the day of its begin."""
    days: dict[int, Columns] = {}
    for row in _rows(segment, meter):
        value = row.pop("value")
        days.setdefault(row["at_ms"] // _DAY_MS, Columns()).add(row, value)
    return {day_of(day * _DAY_MS): columns.table() for day, columns in sorted(days.items())}


def _rows(segment: Segment, meter: str) -> Iterator[dict[str, Any]]:
    header, opening = segment.header, segment.header.opening
    same = {"meter": meter, "segment": header.number}
    earlier = [
        (us, signal, value, opening.carry.get(signal) if index == len(values) else None)
        for signal, (us, values) in sorted(opening.seen.items())
        for index, value in enumerate(values, start=1)
    ]
    for index, (us, signal, value, carry) in enumerate(earlier, start=header.row - len(earlier)):
        times = {"at_ms": opening.settled_ms, "source_us": us}
        yield {**same, **times, "row": index, "signal": signal, "value": value, "news": True, "role": 1, "carry": carry}
    for row, at_ms, (us, signal, value), news in effective(segment):
        times = {"at_ms": at_ms, "source_us": us}
        yield {**same, **times, "row": row, "signal": signal, "value": value, "news": news, "role": 0, "carry": None}


def write(table: pa.Table, path: Path) -> None:
    """Write a file, whole or not at all, on the disk when it returns; one of that name is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as stream:
            parquet.write_table(table, stream, compression="zstd", use_dictionary=["meter", "signal", "word"])
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)


def read(paths: Iterable[Path]) -> pa.Table:
    """The rows of several files, in the files' order."""
    return pa.concat_tables([parquet.read_table(path, schema=SCHEMA, partitioning=None) for path in paths])


def relations(runs: Sequence[Stretch], *, observed: bool = True) -> dict[str, pa.Table]:
    """The small tables that rollup.sql asks for beside the observations; a stretch's number is its index in `runs`.

    Not `observed`: there is no file, so the observations are an empty table too.
    """
    stretch = {
        "stretch": range(len(runs)),
        "meter": [run.meter for run in runs],
        "first_segment": [run.first for run in runs],
        "last_segment": [run.last for run in runs],
        "from_ms": [run.from_ms for run in runs],
        "life_end_ms": [run.life_end_ms for run in runs],
        "until_ms": [run.until_ms for run in runs],
        **{name: [run.policy[index] for run in runs] for index, name in enumerate(POLICY)},
    }
    pairs = [(index, at_ms) for index, run in enumerate(runs) for at_ms in run.boundaries()]
    boundary = {"stretch": [index for index, _ in pairs], "at_ms": [at_ms for _, at_ms in pairs]}
    nothing = {} if observed else {"observation": SCHEMA.empty_table()}
    return {"stretch": _numbers(stretch), "boundary": _numbers(boundary), **nothing}


def _numbers(columns: Mapping[str, Iterable[Any]]) -> pa.Table:
    kinds = {name: pa.string() if name == "meter" else pa.int64() for name in columns}
    return pa.table({name: pa.array(list(values), kinds[name]) for name, values in columns.items()})


def sync_folder(folder: Path) -> None:
    """Make what was renamed in `folder` last."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def in_order(table: pa.Table) -> pa.Table:
    """Rows by meter and number, as a day's file holds them."""
    return table.sort_by([("meter", "ascending"), ("row", "ascending"), ("role", "descending")])
