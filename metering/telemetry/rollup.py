"""From raw telemetry to quarter-hour usage: what to read, and the one expression that an engine runs over it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Protocol, TypeAlias
from uuid import UUID

from metering.telemetry.parquet import day_of
from metering.telemetry.shelf import Shelf
from metering.telemetry.stretch import Stored, Stretch, covering, stretches

SQL = files("metering.telemetry").joinpath("rollup.sql").read_text(encoding="utf-8")
COVERED = frozenset(
    (
        *("unknown", "starts", "revolutions", "travel", "warm_up", "dry_run", "maintenance"),
        *(
            name
            for code in ("power_on", "program_run", "auto_run", "cutting", "spindle_on", "item_executing")
            for name in (code, f"billable_{code}")
        ),
        *("energy", "parts", "counter", "spectrum"),
    )
)
"""Names of the registers (and the load spectrum) that the roll-up gives; about others it says nothing."""
MAX_ROWS = 5_000_000
"""Observations that an engine is given at once: about 2 GiB of memory."""
MAX_ROWS_SHARED = 1_000_000
"""The same for a server of a cluster: Sail, which spills neither windows nor joins, takes 1.3 GiB for so many."""
_DAY_MS = 86_400_000

Key: TypeAlias = tuple[str, int, str, int | None]
"""Meter, the quarter hour's start in ms, register code (`spectrum.<spindle>` for cells), cell key."""
Row: TypeAlias = tuple[int, int, str, int | None, int]
"""As rollup.sql gives it: the stretch's index, quarter hour, code, cell, growth."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one run of the expression reads: files, and stretches within them. Only quarter hours that begin in
    [from_ms, until_ms) are wanted.
    """

    paths: tuple[Path, ...]
    stretches: tuple[Stretch, ...]
    from_ms: int
    until_ms: int


class Engine(Protocol):
    """Runs the expression over a batch."""

    def run(self, batch: Batch) -> list[Row]: ...


def plan(
    shelf: Shelf,
    machine: UUID,
    segments: Sequence[Stored],
    from_ms: int,
    until_ms: int,
    *,
    by_day: bool = False,
    max_rows: int = MAX_ROWS,
) -> Iterator[Batch]:
    """The batches for a machine's `segments` and the quarter hours that begin in [from_ms, until_ms).

    `by_day`: one for each UTC day, each of its own segments alone, so that days can be worked on anywhere.
    """
    step = _DAY_MS if by_day else until_ms - from_ms
    start = from_ms
    while start < until_ms:
        end = min(start - start % _DAY_MS + step if by_day else until_ms, until_ms)
        for run in stretches(covering(segments, start, end), max_rows=max_rows):
            yield Batch(tuple(_paths(shelf, machine, run)), (run,), start, end)
        start = end


def roll_up(batches: Iterable[Batch], engine: Engine) -> dict[Key, int]:
    """The growth of every register and cell by quarter hour, summed over the batches."""
    grown: dict[Key, int] = {}
    for batch in batches:
        add(grown, batch, engine.run(batch))
    return grown


def add(grown: dict[Key, int], batch: Batch, rows: Iterable[Row]) -> None:
    """Add a batch's result; quarter hours that it was not asked for are left out."""
    for index, quarter_ms, code, cell, value in rows:
        if batch.from_ms <= quarter_ms < batch.until_ms:
            key = (batch.stretches[index].meter, quarter_ms, code, cell)
            grown[key] = grown.get(key, 0) + value


def _paths(shelf: Shelf, machine: UUID, run: Stretch) -> Iterator[Path]:
    first, last = day_of(run.from_ms), day_of(run.until_ms)
    for day in shelf.days(machine):
        if first <= day <= last:
            for one in shelf.files(machine, day):
                if one.meter == run.meter and one.first <= run.last and one.last >= run.first:
                    yield one.path
