"""A database that has run for long: rows as uploads would have left them, by COPY, so that it takes seconds."""

from collections.abc import Iterator

import numpy as np

from app.database import Database, Role
from metering.batch.block import Block, Head, Integers, ms_of
from metering.batch.taken import Growth, Taken
from metering.columns import copy_readings, copy_rows
from metering.layout import Layout
from metering.machine import meter_id
from workbench.bench.ingest.box import CADENCE, CODES, OWNER, SPINDLES, START, Box, reading

PER_RECORD = 100
_AT_ONCE = 50_000
_LINK = "f" * 64
_RECORDS = (
    "INSERT INTO record (meter_id, pagination, owner_id, agent_id, digest, first_sequence, last_sequence, replayed, "
    "text, recorded_at) SELECT %s, n, %s, %s, %s, (n - 1) * %s + 1, n * %s, true, 'filled ' || n, now() "
    "FROM generate_series(1, %s) AS n"
)
_USAGE = (
    "INSERT INTO usage (meter_id, starts_at, revision, owner_id, from_at, until_at, is_open, deltas, spectrum_cells, "
    "spectrum_ms, substitute, unsynchronised, replayed, first_sequence, last_sequence, recorded_at) "
    "SELECT %s, t, 1, %s, t, t + interval '15 minutes', false, %s, '{}', '{}', false, false, true, 1, 2, now() "
    "FROM generate_series(%s, %s, interval '15 minutes') AS t"
)
_CHAIN = (
    "UPDATE agent SET pagination = %s, sequence = %s, digest = %s, spectrum_cells = %s, spectrum_ms = %s WHERE id = %s"
)
_LAYOUT = "UPDATE meter SET register_codes = %s, spindles = %s WHERE id = %s"


def fill(database: Database, boxes: list[Box], stored: int) -> None:
    """Leave `stored` readings behind, shared out over the boxes, which then go on from there."""
    each = max(stored // len(boxes) // PER_RECORD, 1) * PER_RECORD
    for box in boxes:
        for taken in _stretches(box, each):
            meter = meter_id(box.enrolled.meter_serial)
            with database.transaction(Role.WORKER) as session:
                connection = session.connection().connection.driver_connection
                copy_readings(connection, copy_rows(taken, meter_id=meter, owner_id=OWNER))
        _advance(database, box, each)


def _stretches(box: Box, count: int) -> Iterator[Taken]:
    for first in range(1, count + 1, _AT_ONCE):
        yield _taken(box, np.arange(first, min(first + _AT_ONCE, count + 1)))


def _taken(box: Box, sequences: Integers) -> Taken:
    """What `box.reading` says of these sequences."""
    size = len(sequences)
    first = int(sequences[0])
    block = Block(
        times=ms_of(START) + sequences * (CADENCE.seconds * 1000),
        qualities=b"S" * size,
        reasons=b"C" * size,
        statuses=b"G" * size,
        codes=CODES,
        values=sequences[:, None] * (1_000 + np.arange(len(CODES))),
    )
    cells = np.array([_cell(number) for number in range(7)])
    growth = Growth(np.arange(size), cells[sequences % 7], 10_000 * np.minimum(sequences, 7))
    heads = tuple(
        Head("", "", str(box.enrolled.agent_id), box.enrolled.meter_serial, page, "", True, at, PER_RECORD)
        for page, at in enumerate(range(first, first + size, PER_RECORD), first // PER_RECORD + 1)
    )
    return Taken(heads, first, block, growth, Layout(CODES, SPINDLES), ([], []))


def _cell(number: int) -> int:
    return next(key for _, key in reading(7 + number).spectrum)


def _advance(database: Database, box: Box, count: int) -> None:
    """Records, usage and the chain's end to the readings."""
    pages, meter = count // PER_RECORD, meter_id(box.enrolled.meter_serial)
    last = sorted((_cell(sequence % 7), 10_000 * sequence) for sequence in range(max(count - 6, 1), count + 1))
    quarter = [90 * (1_000 + index) for index in range(len(CODES))]
    until = START + CADENCE * (count - 90)
    with database.transaction(Role.WORKER) as session:
        run = session.connection().exec_driver_sql
        run(_RECORDS, (meter, OWNER, box.enrolled.agent_id, _LINK, PER_RECORD, PER_RECORD, pages))
        run(_USAGE, (meter, OWNER, quarter, START, until))
        cells, ms = [cell for cell, _ in last], [value for _, value in last]
        run(_CHAIN, (pages, count, _LINK, cells, ms, box.enrolled.agent_id))
        run(_LAYOUT, (list(CODES), list(SPINDLES), meter))
    box.pagination, box.sequence, box.previous = pages, count, _LINK
