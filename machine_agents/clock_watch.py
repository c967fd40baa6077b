"""Three clocks held against each other: the source's, the host's wall clock, and the monotonic one, which is never set.

A clock that moved against the monotonic one by more than clocks drift was set. A delivery may come late, never early:
a source's clock that is further ahead was set forward, one that went back was set back, and one that seems behind is in
doubt until values come at the pace of time again without catching up.
"""

import json
from dataclasses import dataclass, fields
from datetime import datetime

from machine_agents.host import Host
from machine_agents.source_time import to_ms
from metering.reading import Clocks, TimeQuality

_WALL_LIMIT_MS = 1_000
_BEHIND_MS = 5_000
_CONFIRMED_AFTER_MS = 60_000


@dataclass(slots=True)
class _Seen:
    """What was last seen, in milliseconds; the offsets are against the monotonic clock of `boot`."""

    boot: str
    wall_offset: int | None = None
    source_offset: int | None = None
    heartbeat: int | None = None
    doubted_until: int = 0
    wall_step: int = 0
    source_step: int = 0


_FIELDS = tuple(one.name for one in fields(_Seen))


class ClockWatch:
    """Looks at the clocks with every delivery; tells a record's, and how far its readings' times can be trusted."""

    def __init__(self, host: Host, *, limit_ms: int, text: str | None = None) -> None:
        """`limit_ms`: how far the source's clock may be off, by its delay too. `text`: what was kept (`to_json`)."""
        self._host, self._limit_ms = host, limit_ms
        self._seen = _Seen(host.boot)
        if text is not None and (kept := _Seen(**json.loads(text))).boot == host.boot:
            self._seen = kept
        self._behind: tuple[int, int] | None = None
        self._ahead: int | None = None

    def to_json(self) -> str:
        return json.dumps({name: getattr(self._seen, name) for name in _FIELDS}, separators=(",", ":"))

    def look(self, heartbeat: datetime | None, *, replayed: bool) -> None:
        """Compare the clocks as the source's `heartbeat` comes in; a recording's times are no clock's."""
        seen, now = self._seen, self._monotonic_ms()
        wall = to_ms(self._host.wall()) - now
        if seen.wall_offset is not None and abs(wall - seen.wall_offset) > _WALL_LIMIT_MS:
            seen.wall_step += wall - seen.wall_offset
            seen.doubted_until = now + _CONFIRMED_AFTER_MS
        seen.wall_offset = wall
        if replayed:
            seen.source_offset = seen.heartbeat = self._ahead = self._behind = None
        elif heartbeat is not None:
            self._ahead = to_ms(heartbeat) - now - wall
            self._compare_source(to_ms(heartbeat), now)

    def clocks(self) -> Clocks:
        """The clocks for a record that is sealed now, with the steps since `told`."""
        wall = self._host.wall()
        return Clocks(
            wall=wall.replace(microsecond=wall.microsecond // 1000 * 1000),
            monotonic_ms=self._monotonic_ms(),
            boot=self._host.boot,
            source_ahead_ms=self._ahead,
            wall_step_ms=self._seen.wall_step,
            source_step_ms=self._seen.source_step,
        )

    def told(self) -> None:
        """The steps so far are on a record."""
        self._seen.wall_step = self._seen.source_step = 0

    def quality(self, configured: TimeQuality, *, replayed: bool) -> TimeQuality:
        """What can be said of the times of readings that are sealed now; never more than `configured`.

        Unknown in a record that the source's clock was set before. Synchronised only while the host's time service says
        so of the wall clock, the source's is within the limit of it, and neither was set in the last minute.
        """
        if self._seen.source_step:
            return TimeQuality.UNKNOWN
        if configured is not TimeQuality.SYNCHRONISED:
            return configured
        near = self._ahead is not None and abs(self._ahead) <= self._limit_ms
        settled = self._monotonic_ms() >= self._seen.doubted_until and self._behind is None
        synchronised = near and settled and not replayed and self._host.synchronised()
        return TimeQuality.SYNCHRONISED if synchronised else TimeQuality.INFORMATIVE

    def _compare_source(self, heartbeat: int, now: int) -> None:
        seen, offset = self._seen, heartbeat - now
        known, last = seen.source_offset, seen.heartbeat
        seen.heartbeat = heartbeat
        if known is None or last is None:
            seen.source_offset = offset
        elif heartbeat < last or offset - known > self._limit_ms:
            self._source_moved(offset, now)
        elif known - offset <= self._limit_ms:
            seen.source_offset, self._behind = offset, None
        elif self._behind is None or offset - self._behind[1] > self._limit_ms:
            self._behind = (now, offset)  # late, or catching up
        elif now - self._behind[0] >= _BEHIND_MS:
            self._source_moved(offset, now)

    def _source_moved(self, offset: int, now: int) -> None:
        seen = self._seen
        seen.source_step += offset - (seen.source_offset or 0)
        seen.source_offset, self._behind = offset, None
        seen.doubted_until = now + _CONFIRMED_AFTER_MS

    def _monotonic_ms(self) -> int:
        return int(self._host.monotonic() * 1000)
