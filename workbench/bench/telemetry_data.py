"""Seeded raw telemetry for benchmarks: machines at work, written as the service writes it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from metering.telemetry import parquet
from metering.telemetry.rollup import MAX_ROWS_SHARED, Batch
from metering.telemetry.stretch import Stretch

_BEGIN_MS = 1_772_438_400_000  # 2026-03-02 08:00 UTC
SILENCE_MS = 30_000
_PER_SEGMENT = 250_000
_SPINDLES, _AXES = ("S1", "S2"), ("X", "Y", "Z")
_MODES, _EXECUTIONS = ("automatic", "mdi", "manual"), ("active", "ready", "feed_hold", "stopped")


@dataclass(frozen=True, slots=True)
class Telemetry:
    """`batches` are to be rolled up one after another; `rows` is how many observations they hold."""

    batches: tuple[Batch, ...]
    rows: int


def write_telemetry(folder: Path, *, rows: int, seed: int) -> Telemetry:
    """Write `rows` observations of as many machines as that takes. The same arguments give the same rows."""
    batches = []
    for number, count in enumerate(_shares(rows)):
        meter = f"00000000-0000-0000-0000-{number:012}"
        paths, until_ms, last = [], _BEGIN_MS, 1
        for segment, table in _segments(meter, count, np.random.default_rng([seed, number])):
            path = folder / f"machine={meter}" / f"{meter}-{segment}-{segment}.parquet"
            parquet.write(table, path)
            paths.append(path)
            until_ms, last = int(table.column("at_ms")[-1].as_py()) + 1_000, segment
        policy = (SILENCE_MS, 0, 20_000)
        run = Stretch(meter, 1, last, _BEGIN_MS, until_ms, 0, policy, thinned=False)
        batches.append(Batch(tuple(paths), (run,), 0, 2**62))
    return Telemetry(tuple(batches), rows)


def _shares(rows: int) -> Iterator[int]:
    while rows > 0:
        yield min(rows, MAX_ROWS_SHARED)
        rows -= MAX_ROWS_SHARED


def _segments(meter: str, count: int, dice: np.random.Generator) -> Iterator[tuple[int, pa.Table]]:
    now_ms, row = _BEGIN_MS, 1
    positions = np.zeros(len(_AXES), dtype=np.int64)
    while row <= count:
        size = min(_PER_SEGMENT, count - row + 1)
        table, now_ms = _table(meter, row, size, now_ms, positions, dice)
        yield (row - 1) // _PER_SEGMENT + 1, table
        row += size


def _table(
    meter: str, row: int, size: int, now_ms: int, positions: NDArray[np.int64], dice: np.random.Generator
) -> tuple[pa.Table, int]:
    """A stretch of work: mostly positions, speeds and loads every 50 ms or so, a state now and then, few silences."""
    signals = ["power", "mode", "execution", "feed"]
    signals += [f"spindle.{name}.{what}" for name in _SPINDLES for what in ("speed", "load")]
    signals += [f"axis.{name}.position" for name in _AXES]
    chances = np.array([0.002, 0.003, 0.02, 0.075, 0.08, 0.12, 0.04, 0.06, 0.2, 0.2, 0.2])
    kind = dice.choice(len(signals), size=size, p=chances)
    pauses_us = dice.integers(0, 100_000, size)
    pauses_us[dice.random(size) < 2e-5] = 120_000_000
    source_us = now_ms * 1000 + np.cumsum(pauses_us)
    return _filled(meter, row, signals, kind, source_us, positions, dice), int(source_us[-1] // 1000)


def _filled(
    meter: str,
    row: int,
    signals: list[str],
    kind: NDArray[np.int64],
    source_us: NDArray[np.int64],
    positions: NDArray[np.int64],
    dice: np.random.Generator,
) -> pa.Table:
    size = len(kind)
    number = dice.integers(0, 1_000, size)
    number[kind == 3] *= 24  # feed, up to beyond the cutting feed
    for spindle in (4, 6):
        number[kind == spindle] = number[kind == spindle] // 200 * 1_250_000
    for index in range(len(_AXES)):
        of_axis = kind == 8 + index
        moved = positions[index] + np.cumsum(dice.integers(-5_000, 5_001, int(of_axis.sum())))
        number[of_axis] = moved
        positions[index] = moved[-1] if len(moved) else positions[index]
    none = dice.random(size) < 1e-4
    mode = pa.array(_MODES).take(pa.array(dice.integers(0, len(_MODES), size)))
    execution = pa.array(_EXECUTIONS).take(pa.array(dice.integers(0, len(_EXECUTIONS), size)))
    is_word = (kind == 1) | (kind == 2)
    words = pa.array(np.where(kind == 1, mode.to_numpy(False), execution.to_numpy(False)), mask=~is_word | none)
    columns = {
        "meter": pa.array([meter] * size),
        "segment": pa.array(np.full(size, (row - 1) // _PER_SEGMENT + 1)),
        "row": pa.array(np.arange(row, row + size)),
        "at_ms": pa.array(source_us // 1000),
        "source_us": pa.array(source_us),
        "signal": pa.array(signals).take(pa.array(kind)),
        "number": pa.array(number, mask=(kind == 0) | is_word | none),
        "word": words.cast(pa.string()),
        "flag": pa.array(dice.random(size) < 0.9, mask=(kind != 0) | none),
        "news": pa.array(np.ones(size, dtype=bool)),
        "role": pa.array(np.zeros(size, dtype=np.int8)),
        "carry": pa.nulls(size, pa.int64()),
    }
    return pa.table(columns, schema=parquet.SCHEMA)
