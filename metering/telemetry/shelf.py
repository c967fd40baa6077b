"""Where telemetry lies: Parquet in partitions by machine and day, and what was kept aside.

A partition's file holds the segments that its name tells, `<meter>-<first>-<last>.parquet`. One whose numbers lie
within another's is a left-over of compaction that the other replaces: nobody reads it, and the next compaction deletes
it. So a kill at any moment neither hides a row nor shows one twice.
"""

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import UUID

from metering.telemetry import parquet
from metering.telemetry.segment import Segment

_FILE = re.compile(r"([0-9a-f-]{36})-(\d+)-(\d+)\.parquet")
_COMPACT_TODAY_FROM = 32


@dataclass(frozen=True, slots=True)
class ShelfFile:
    """A file with the segments `first` to `last` of a meter (its id as text), as far as they have rows on that day."""

    meter: str
    first: int
    last: int
    path: Path

    def within(self, other: "ShelfFile") -> bool:
        wider = (other.first, -other.last) < (self.first, -self.last)
        return self.meter == other.meter and other.first <= self.first and self.last <= other.last and wider


class Shelf:
    """The telemetry folder of an installation."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, segment: Segment, *, machine: UUID, meter: UUID) -> None:
        """Write the segment's rows to the days they belong to; the same again changes nothing."""
        number = segment.header.number
        for day, table in parquet.tables(segment, str(meter)).items():
            parquet.write(table, self._day(machine, day) / f"{meter}-{number}-{number}.parquet")

    def keep_aside(self, packed: bytes, *, meter: UUID, digest: str) -> None:
        """Keep what was refused, as it came."""
        path = self._folder / "aside" / str(meter) / f"{digest}.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        partial.write_bytes(packed)
        partial.replace(path)

    def files(self, machine: UUID, day: str) -> list[ShelfFile]:
        """What is to be read of a day: every segment once."""
        listed = _listed(self._day(machine, day))
        return [one for one in listed if not any(one.within(other) for other in listed)]

    def days(self, machine: UUID) -> list[str]:
        """The days of which there is something, in order."""
        return sorted(path.name.removeprefix("day=") for path in self._machine(machine).glob("day=*"))

    def partitions(self) -> Iterator[tuple[UUID, str]]:
        """Every machine and day of which there is something."""
        for folder in sorted(self._folder.glob("machine=*")):
            machine = UUID(folder.name.removeprefix("machine="))
            yield from ((machine, day) for day in self.days(machine))

    def compact(self, machine: UUID, day: str, *, known: Mapping[str, Container[int]], is_past: bool) -> int:
        """Join a day's small files where their numbers follow one another; how many files were joined.

        `known` are the numbers that the manifest holds, by meter. A file that a join replaced is deleted by the next
        call, so that whoever listed it before can still read it.
        """
        folder = self._day(machine, day)
        listed = _listed(folder)
        kept = [one for one in listed if not any(one.within(other) for other in listed)]
        for one in listed:
            if one not in kept:
                one.path.unlink(missing_ok=True)
        joined = 0
        for run in _runs(kept, known):
            if len(run) >= (2 if is_past else _COMPACT_TODAY_FROM):
                first, last = run[0], run[-1]
                table = parquet.in_order(parquet.read(one.path for one in run))
                parquet.write(table, folder / f"{first.meter}-{first.first}-{last.last}.parquet")
                joined += len(run)
        return joined

    def forget(self, before: date) -> int:
        """Delete the days before `before`; how many."""
        old = [(machine, day) for machine, day in self.partitions() if day < before.isoformat()]
        for machine, day in old:
            shutil.rmtree(self._day(machine, day))
        return len(old)

    @contextlib.contextmanager
    def tending(self) -> Iterator[bool]:
        """Whether this process may tend the shelf now: one at a time, until the end of the block."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "tending.lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
            else:
                yield True

    def _machine(self, machine: UUID) -> Path:
        return self._folder / f"machine={machine}"

    def _day(self, machine: UUID, day: str) -> Path:
        return self._machine(machine) / f"day={day}"


def _listed(folder: Path) -> list[ShelfFile]:
    if not folder.is_dir():
        return []
    found = [(_FILE.fullmatch(path.name), path) for path in folder.iterdir()]
    files = [ShelfFile(match[1], int(match[2]), int(match[3]), path) for match, path in found if match]
    return sorted(files, key=lambda one: (one.meter, one.first, one.last))


def _runs(files: list[ShelfFile], known: Mapping[str, Container[int]]) -> list[list[ShelfFile]]:
    """Files whose numbers follow one another, all of them of stored segments."""
    runs: list[list[ShelfFile]] = []
    for one in files:
        numbers = known.get(one.meter, ())
        if not all(number in numbers for number in range(one.first, one.last + 1)):
            continue
        last = runs[-1][-1] if runs else None
        if last is not None and last.meter == one.meter and last.last + 1 == one.first:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs
