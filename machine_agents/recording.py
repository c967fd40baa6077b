"""Recordings: a machine's observations on disk, our own format or a foreign `UTC time|item|value` log.

A log glued from daily files begins each of them with a line `### file name` and a stale snapshot of last values under
old times: repetitions are dropped, the rest is sorted by source time, and everything odd is counted.
"""

import gzip
import lzma
import re
import zlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from operator import attrgetter
from pathlib import Path
from typing import TextIO

from machine_agents.item_mapping import Item, ItemMapping, mapping_for
from machine_agents.observation import Observation
from machine_agents.recording_text import (
    MAGIC,
    Header,
    RecordingError,
    own_value,
    parse_foreign_time,
    parse_header,
    parse_time,
)
from metering.period import Period

_at = attrgetter("source_time")
_SECTION_DAYS = re.compile(r"(\d{8})-(\d{8})")


@dataclass(slots=True)
class Statistics:
    """What was read: `lines` of data and, among them,

    `stale`: of a day before their section's; `duplicates`: repeated, dropped; `unmapped`: of items that no signal
    needs; `out_of_order`: mapped and older than the mapped line before, put in order; `unavailable`: without a value.
    In a foreign log a line may be rubbish: `malformed` ones are left out, the value of an `unreadable` one is none.
    """

    lines: int = 0
    stale: int = 0
    duplicates: int = 0
    unmapped: int = 0
    out_of_order: int = 0
    unavailable: int = 0
    malformed: int = 0
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Recording:
    """A header and its observations by source time. Before `header.begin` lie the values in force at the begin."""

    header: Header
    observations: list[Observation]
    statistics: Statistics

    def within(self, period: Period) -> "Recording":
        """The part within `period`, led by the values in force at its start under their own, earlier times."""
        first = bisect_left(self.observations, period.start, key=_at)
        last = bisect_left(self.observations, period.end, key=_at)
        in_force = {seen.signal: seen for seen in self.observations[:first]}
        led = sorted((seen for seen in in_force.values() if seen.value is not None), key=_at)
        return Recording(
            replace(self.header, begin=period.start, end=period.end),
            led + self.observations[first:last],
            self.statistics,
        )

    def day(self, day: str) -> "Recording":
        """The part of one UTC day such as 2018-05-29; raises RecordingError."""
        start = parse_time(f"{day}T00:00:00Z")
        return self.within(Period(start, start + timedelta(days=1)))


def read_recording(
    path: Path, mapping: ItemMapping | None = None, *, more: Sequence[Path] = (), lenient: bool = False
) -> Recording:
    """Read a recording, plain, .xz or .gz, of either format; raises RecordingError, or MappingError for a foreign log.

    `mapping` is for foreign logs; without it the bundled one for the log's first section is taken. A log may go on in
    `more` files. `lenient`: rubbish in a foreign log is counted instead of refused, and a time without a zone is UTC.
    """
    reader = _Reader(mapping, lenient)
    for each in (path, *more):
        with failures_named(each, reader.statistics), open_text(each) as stream:
            for line in stream:
                reader.take(line)
    with failures_named(path):
        return reader.result()


@contextmanager
def failures_named(path: Path, read: Statistics | None = None) -> Iterator[None]:
    """RecordingError, with the file's name, for whatever may be wrong with a recording's file."""
    try:
        yield
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        place = f", after line {read.lines}" if read else ""
        raise RecordingError(f"{path}: {reason}{place}") from error
    except RecordingError as error:
        raise RecordingError(f"{path}: {error}") from error


def open_text(path: Path) -> TextIO:
    """The text of a recording's file. A byte that is no UTF-8 spoils its own line, not the file."""
    if path.suffix == ".xz":
        return lzma.open(path, "rt", encoding="utf-8", errors="replace")
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", errors="replace")
    return path.open(encoding="utf-8", errors="replace")


@dataclass(slots=True)
class _Reader:
    """Takes a recording's lines one by one."""

    mapping: ItemMapping | None
    lenient: bool = False
    statistics: Statistics = field(default_factory=Statistics)
    observations: list[Observation] = field(default_factory=list)
    header_lines: list[str] = field(default_factory=list)
    days: list[str] = field(default_factory=list)
    stale_seen: set[str] = field(default_factory=set)
    repeated: dict[str, str] = field(default_factory=dict)
    own: bool = False

    def take(self, line: str) -> None:
        line = line.rstrip("\r\n")
        if line.startswith("###"):
            self._begin_section(line.strip("# "))
        elif line.startswith("#"):
            self.own = self.own or line == MAGIC
            self.header_lines.append(line)
        elif line:
            self.statistics.lines += 1
            try:
                self._take_data(line)
            except ValueError as error:
                if self.own or not self.lenient or self.mapping is None:
                    raise RecordingError(f"data line {self.statistics.lines}: {error}") from error
                self.statistics.malformed += 1

    def result(self) -> Recording:
        if not self.observations:
            counted = self.statistics
            raise RecordingError(
                f"no observation in it: of {counted.lines} lines {counted.malformed} are no `UTC time|item|value` and "
                f"{counted.unmapped} are of items that the mapping does not know"
            )
        self.observations.sort(key=_at)
        return Recording(self._header(), self.observations, self.statistics)

    def _begin_section(self, name: str) -> None:
        self.mapping = self.mapping or mapping_for(name)
        if found := _SECTION_DAYS.search(name):
            self.days += [f"{day[:4]}-{day[4:6]}-{day[6:]}" for day in found.groups()]

    def _take_data(self, line: str) -> None:
        parts = line.split("|", 2)
        if len(parts) != 3:
            raise RecordingError(f"{line!r} is not `UTC time|name|value`")
        time, name, text = parts
        if self._is_repeated(line, time, name):
            self.statistics.duplicates += 1
            return
        if text.startswith(("UNAVAILABLE", "Unavailable")):  # the latter are conditions
            self.statistics.unavailable += 1
        if self.own:
            self._add(Observation(name, own_value(name, text), parse_time(time)))
        elif self.mapping is None:
            raise RecordingError("a log of items needs an item mapping: pass one")
        elif item := self.mapping.items.get(name):
            moment = parse_foreign_time(time) if self.lenient else parse_time(time)
            self._add(Observation(item.signal, self._foreign_value(item, text), moment))
        else:
            self.statistics.unmapped += 1

    def _foreign_value(self, item: Item, text: str) -> int | str | bool | None:
        try:
            return item.value_of(text.strip())
        except ValueError:
            if not self.lenient:
                raise
            self.statistics.unreadable += 1
            return None

    def _is_repeated(self, line: str, time: str, name: str) -> bool:
        if self.days and time < self.days[-2]:
            self.statistics.stale += 1
            known = line in self.stale_seen or self.repeated.get(name) == line
            self.stale_seen.add(line)
            return known
        known = self.repeated.get(name) == line
        self.repeated[name] = line
        return known

    def _add(self, seen: Observation) -> None:
        if self.observations and seen.source_time < self.observations[-1].source_time:
            self.statistics.out_of_order += 1
        self.observations.append(seen)

    def _header(self) -> Header:
        if self.own:
            return parse_header(self.header_lines)
        first, last = self.observations[0].source_time, self.observations[-1].source_time
        begin = parse_time(f"{min(self.days)}T00:00:00Z") if self.days else first
        end = parse_time(f"{max(self.days)}T00:00:00Z") if self.days else last + timedelta(milliseconds=1)
        signals = tuple(sorted({seen.signal for seen in self.observations}))
        mapping = self.mapping
        if mapping is None:
            raise RecordingError("neither a header nor a section says what it is")
        about = (mapping.machine, mapping.serial, False, begin, end, signals, mapping.credit, mapping.silence_ms)
        return Header(*about)
