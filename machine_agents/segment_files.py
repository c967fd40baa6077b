"""Closed segments of telemetry on the agent's disk: packed, kept within a budget, forgotten when they are delivered.

`<number>.log` closed, `.gz` packed, `.tried.gz` once sent, `.refused` set aside. What was sent once never changes,
since the service may have it. Over the budget the oldest segments are thinned: of analogue signals (speed, load, feed,
positions, the heartbeat) at most a value in ten seconds stays, and every change between nothing, zero and something;
states and counters all stay. When that does not help either, no new segment is begun until there is room.
"""

import contextlib
import gzip
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from metering.telemetry.segment import BadSegment, Delivery, Segment, Value, delivery_line, header_line, parse, unpack

_NAME = re.compile(r"(\d{10})\.(open|log|gz|tried\.gz|refused)")
_ANALOGUE = re.compile(r"heartbeat|feed|spindle\..+\.(speed|load)|axis\..+")
_NEWEST = "newest"
_THIN_US = 10_000_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """Segments that wait to be sent: how many, their bytes on the disk, and how many were refused."""

    segments: int
    bytes: int
    refused: int


class SegmentFiles:
    """The folder of one meter's segments. `pack` and `keep_budget` may run in a thread beside the rest."""

    def __init__(self, folder: Path, *, budget: int) -> None:
        self._folder, self._budget = folder, budget
        self.full = False

    def newest(self) -> int:
        """The highest number that was ever begun here, 0 without any: also after the spool was replaced."""
        try:
            noted = int((self._folder / _NEWEST).read_text())
        except (OSError, ValueError):
            noted = 0
        return max([noted, *(number for number, _, _ in self._all())])

    def create(self, number: int) -> BinaryIO:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        stream = self._path(number, "open").open("xb", buffering=0)
        with contextlib.suppress(OSError):
            (self._folder / _NEWEST).write_text(str(number))
        return stream

    def abandon(self, number: int) -> None:
        """Forget a segment that could not be begun."""
        with contextlib.suppress(OSError):
            self._path(number, "open").unlink()

    def open(self) -> list[tuple[int, Path]]:
        return [(number, path) for number, kind, path in self._all() if kind == "open"]

    def closed(self, number: int) -> None:
        self._path(number, "open").rename(self._path(number, "log"))

    def set_aside(self, number: int) -> None:
        """Keep what cannot be read or was refused, out of the way of the others."""
        for known, kind, path in self._all():
            if known == number and kind != "refused":
                path.rename(self._path(number, "refused"))

    def pack(self) -> None:
        """Pack what is closed, then keep the budget. OSError when the disk will not."""
        for number, kind, path in self._all():
            if kind == "log":
                text = path.read_bytes()
                _replace(self._path(number, "gz"), text[: text.rfind(b"\n") + 1])
                path.unlink()
        self.keep_budget()

    def keep_budget(self) -> int:
        """Thin the oldest segments that were never sent while there are too many bytes; how many were thinned."""
        thinned = 0
        refused = [path for _, kind, path in self._all() if kind == "refused"]
        packed = [(number, path) for number, kind, path in self._all() if kind == "gz"]
        while self._over() and refused:
            refused.pop(0).unlink(missing_ok=True)
        for number, path in packed:
            if not self._over():
                break
            thinned += self._thin(number, path)
        self.full = self._over()
        return thinned

    def oldest(self) -> tuple[int, bytes] | None:
        """The oldest packed segment, from now on unchangeable; None when there is none."""
        for number, kind, path in self._all():
            if kind == "gz":
                path = path.rename(self._path(number, "tried.gz"))
            elif kind != "tried.gz":
                continue
            return number, path.read_bytes()
        return None

    def delivered(self, number: int) -> None:
        self._path(number, "tried.gz").unlink(missing_ok=True)
        self.full = self._over()

    def waiting(self) -> Waiting:
        kinds = [kind for _, kind, _ in self._all()]
        return Waiting(sum(kind != "refused" for kind in kinds), self._bytes(), kinds.count("refused"))

    def _thin(self, number: int, path: Path) -> int:
        try:
            segment = parse(unpack(path.read_bytes()))
        except BadSegment:  # the disk spoilt it: it would be refused
            self.set_aside(number)
            return 0
        if segment.header.thinned:
            return 0
        _replace(path, text_of(thin(segment)))
        return 1

    def _over(self) -> bool:
        return self._bytes() > self._budget

    def _bytes(self) -> int:
        return sum(_size(path) for _, _, path in self._all())

    def _all(self) -> list[tuple[int, str, Path]]:
        if not self._folder.is_dir():
            return []
        found = [(_NAME.fullmatch(path.name), path) for path in self._folder.iterdir()]
        return sorted((int(match[1]), match[2], path) for match, path in found if match)

    def _path(self, number: int, kind: str) -> Path:
        return self._folder / f"{number:010}.{kind}"


def thin(segment: Segment) -> Segment:
    """Without most values of analogue signals; the rows that stay keep their numbers, so what is missing shows."""
    last: dict[str, tuple[int, Value]] = {}

    def stays(us: int, signal: str, value: Value) -> bool:
        if not _ANALOGUE.fullmatch(signal):
            return True
        known = last.get(signal)
        kept = known is None or us - known[0] >= _THIN_US or _kind(value) != _kind(known[1])
        if kept:
            last[signal] = (us, value)
        return kept

    thinned: list[Delivery] = []
    settled = segment.header.opening.settled_ms
    for one in segment.deliveries:
        kept = [number for number, taken in enumerate(one.taken) if stays(*taken)]
        if kept or one is segment.deliveries[-1]:
            thinned += _runs(replace(one, after_ms=settled), kept)
            settled = one.until_ms
    return Segment(replace(segment.header, thinned=True), tuple(thinned))


def text_of(segment: Segment) -> bytes:
    """The segment as it is sent, before it is packed."""
    lines = (delivery_line(one.row, one.after_ms, one.until_ms, one.taken) for one in segment.deliveries)
    return "".join([header_line(segment.header), *lines]).encode()


def _runs(one: Delivery, kept: Iterable[int]) -> Iterator[Delivery]:
    """The delivery's rows that stay, one delivery for each run; the watermark moves with the last."""
    runs: list[list[int]] = []
    for number in kept:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    for run in runs:
        yield Delivery(one.row + run[0], one.after_ms, one.after_ms, one.taken[run[0] : run[-1] + 1])
    yield Delivery(one.row + len(one.taken), one.after_ms, one.until_ms, ())


def _kind(value: Value) -> int:
    return 0 if value is None else 2 if value else 1


def _replace(path: Path, text: bytes) -> None:
    """Write `text` packed to `path`, whole or not at all. The same text gives the same bytes."""
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as stream:
        stream.write(gzip.compress(text, 6, mtime=0))
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # sent, or packed, meanwhile
        return 0
