"""The raw observations, kept beside the spool: numbered segments of what the meter's fold took, for the service.

They serve disputes and later models; the registers do not depend on them. So nothing here ever stops metering: what
cannot be written is a gap, counted and named. Rows are numbered with the meter's state in the spool, so a gap shows.

A segment is `<number>.open` while it grows, `.log` when it is closed; `segment_files` packs and sends it.
"""

import contextlib
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from machine_agents.accrual_state import AccrualState
from machine_agents.config import TelemetryConfig
from machine_agents.running import Policy
from machine_agents.segment_files import SegmentFiles
from machine_agents.shortfall import short_codes
from machine_agents.status import Status
from metering.telemetry.segment import BadSegment, Header, Opening, delivery_line, header_line, parse

_MAX_OPEN_BYTES = 8 * 1024 * 1024


class ObservationLog:
    """Takes what each delivery's fold took. Use in this order: `before`, the fold, `take`, the spool's commit;
    `undo` when the commit failed. No method raises for what the disk does.
    """

    def __init__(
        self,
        files: SegmentFiles,
        meter: str,
        policy: Policy,
        config: TelemetryConfig,
        status: Status,
        *,
        kept: str | None,
        monotonic: Callable[[], float],
    ) -> None:
        """`kept` is what `kept()` gave with the spool's last commit."""
        self._files, self._meter, self._config, self._status = files, meter, config, status
        self._policy = {name: value for name, value in asdict(policy).items() if type(value) is int}
        self._monotonic = monotonic
        numbers = [int(number) for number in (kept or "1 0").split()]
        self._row, self._number = numbers[0], max(numbers[1], files.newest())
        self._stream: BinaryIO | None = None
        self._size = self._row_before = self._size_before = 0
        self._opened = 0.0
        self._failing = False
        self._recover()

    def kept(self) -> str:
        """What the spool must keep with the meter's state: the next row's number and the newest segment's."""
        return f"{self._row} {self._number}"

    def before(self, state: AccrualState) -> None:
        """A delivery is about to be folded into `state`: begin a segment where one is due."""
        self._row_before, self._size_before = self._row, self._size
        due = self._size >= _MAX_OPEN_BYTES or self._monotonic() - self._opened >= self._config.segment_seconds
        if self._stream is not None and due:
            self.close()
        if self._stream is None:
            self._begin(state)

    def take(self, after_ms: int, state: AccrualState) -> None:
        """The fold took `state.taken`; the watermark was `after_ms` before."""
        if not state.taken and state.settled == after_ms:
            return
        line = delivery_line(self._row, after_ms, state.settled, state.taken).encode()
        self._row += len(state.taken)
        if self._stream is None:
            self._status.count("telemetry", "lost_rows", len(state.taken))
            return
        try:
            _write(self._stream, line)
            self._size += len(line)
        except OSError as error:
            self._failed(error, len(state.taken))

    def undo(self) -> None:
        """The delivery was not stored and will come again: take back its rows."""
        self._row = self._row_before
        if self._stream is None:
            return
        try:
            self._cut(self._size_before)
        except OSError as error:
            self._failed(error, 0)

    def close(self) -> None:
        """End the open segment: it is packed and sent in the background."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        try:
            stream.close()
            self._files.closed(self._number)
        except OSError as error:
            self._failed(error, 0)

    def _begin(self, state: AccrualState) -> None:
        if self._files.full:
            self._say_gap("the disk budget is used up")
            return
        number = self._number + 1
        header = header_line(Header(self._meter, number, self._row, self._policy, opening_of(state))).encode()
        try:
            stream = self._files.create(number)
        except OSError as error:
            self._failed(error, 0)
            return
        try:
            _write(stream, header)
        except OSError as error:
            stream.close()
            self._files.abandon(number)
            self._failed(error, 0)
            return
        self._stream, self._number = stream, number
        self._size = self._size_before = len(header)
        self._opened = self._monotonic()
        self._failing = False

    def _failed(self, error: OSError, rows: int) -> None:
        """End the segment after its last whole line; the next delivery tries with a new one."""
        self._status.count("telemetry", "lost_rows", rows)
        self._say_gap(error.strerror or type(error).__name__)
        stream = self._stream
        if stream is not None:
            with contextlib.suppress(OSError):  # what is left of the line is dropped when the segment is packed
                self._cut(self._size)
            self.close()

    def _cut(self, size: int) -> None:
        if self._stream is not None:
            self._stream.truncate(size)
            self._stream.seek(size)
            self._size = size

    def _say_gap(self, why: str) -> None:
        self._status.note("telemetry", gap=f"from row {self._row}: {why}")
        if not self._failing:
            self._failing = True
            self._status.count("telemetry", "gaps")
            self._status.say("telemetry not written, metering goes on", row=self._row, why=why)

    def _recover(self) -> None:
        """Close what a killed agent left open; what the spool does not know of will be delivered again."""
        written = self._row
        for number, path in self._files.open():
            try:
                written = _keep_committed(path, self._row)
                self._files.closed(number)
            except (OSError, BadSegment) as error:
                self._status.say("telemetry segment set aside", segment=number, why=str(error))
                self._files.set_aside(number)
        if written < self._row:
            self._status.count("telemetry", "lost_rows", self._row - written)
            self._say_gap("the machine stopped before the disk had it")


def opening_of(state: AccrualState) -> Opening:
    """What the fold remembers, as a segment's opening."""
    carry: dict[str, int] = {signal: one.last for signal, one in state.totals.items() if one.last is not None}
    carry |= {f"spindle.{name}.speed": spindle.rest for name, spindle in state.spindles.items()}
    carry |= {f"axis.{name}.position": position for name, position in state.axes.items() if position is not None}
    short = dict.fromkeys(short_codes(state), (state.settled * 1000, (True,)))
    return Opening(state.settled, state.life_end, state.seen | short, carry)


def _keep_committed(path: Path, row: int) -> int:
    """Cut the segment after the last whole delivery of rows before `row`; the next row's number."""
    text = path.read_bytes()
    lines = text[: text.rfind(b"\n") + 1].split(b"\n")[:-1]
    while len(lines) > 1 and parse(b"\n".join([*lines[:1], lines[-1], b""]), whole=False).next_row > row:
        lines.pop()
    kept = b"\n".join([*lines, b""])
    segment = parse(kept)
    if len(kept) != len(text):
        os.truncate(path, len(kept))
    return segment.next_row


def _write(stream: BinaryIO, line: bytes) -> None:
    """All of it, or an OSError."""
    rest = memoryview(line)
    while rest:
        rest = rest[stream.write(rest) :]
