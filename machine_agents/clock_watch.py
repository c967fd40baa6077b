"""Three clocks held against each other: the source's, the host's wall clock, and the monotonic one, which is never set.

A clock that moved against the monotonic one by more than clocks drift was set. A delivery may come late, never early:
a source's clock that is further ahead was set forward, one that went back was set back, and one that seems behind is in
doubt until values come at the pace of time again without catching up.

How far ahead the source's clock may be is remembered, and follows it no faster than clocks drift. So neither steps that
are small each nor a clock that runs too fast count as time for long, and values that come late, however many at once,
never look as if they were ahead of it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import pairwise

from machine_agents.host import Host
from machine_agents.source_time import to_ms
from metering.reading import Clocks, TimeQuality

_WALL_LIMIT_MS = 1_000
_BEHIND_MS = 5_000
_CONFIRMED_AFTER_MS = 60_000
_SET_BACK_MS = 1_000
_DRIFT_PPM = 500
"""More than the clocks of two computers drift apart, and than a time service slews one."""
_FOLLOWED_MS = 60_000
_FIRST_MS = 60_000
"""What came first may have come late: so long after it, a clock that comes ahead with no hole in its times is right."""


@dataclass(slots=True)
class _Seen:
    """What was last seen, in milliseconds; the offsets are against the monotonic clock of `boot`.

    `high_us` (microseconds) is how far ahead the source's clock may be: what is late or seems behind does not lower it.
    """

    boot: str
    wall_offset: int | None = None
    source_offset: int | None = None
    heartbeat: int | None = None
    doubted_until: int = 0
    high_us: int | None = None
    looked: int = 0
    first: int | None = None
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

    def look(self, heartbeat: datetime | None, *, replayed: bool, stamps: Sequence[datetime] = ()) -> int:
        """Compare the clocks as the source's `heartbeat` comes in; a recording's times are no clock's.

        `stamps`: the source times of what came with it, rising. How many milliseconds of the source's time since the
        heartbeat before have not passed, because its clock was set forward or runs too fast: mostly 0.
        """
        seen, now = self._seen, self._monotonic_ms()
        wall = to_ms(self._host.wall()) - now
        if seen.wall_offset is not None and abs(wall - seen.wall_offset) > _WALL_LIMIT_MS:
            seen.wall_step += wall - seen.wall_offset
            seen.doubted_until = now + _CONFIRMED_AFTER_MS
        seen.wall_offset = wall
        if replayed:
            seen.source_offset = seen.heartbeat = seen.high_us = seen.first = self._ahead = self._behind = None
        elif heartbeat is not None:
            self._ahead = to_ms(heartbeat) - now - wall
            return self._compare_source(to_ms(heartbeat), now, stamps)
        return 0

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

    def _compare_source(self, heartbeat: int, now: int, stamps: Sequence[datetime]) -> int:
        """Mark a source's clock that was set; how much of its time has not passed."""
        seen, offset = self._seen, heartbeat - now
        known, last = seen.source_offset, seen.heartbeat
        ahead = self._ahead_of_time(heartbeat, now, stamps)
        seen.heartbeat, seen.looked = heartbeat, now
        if known is None or last is None or (now - (seen.first or now) < _FIRST_MS and not ahead and offset > known):
            seen.source_offset = offset
        elif heartbeat < last or ahead or offset - known > self._limit_ms:
            self._source_moved(offset, now, max(ahead, offset - known) if offset > known else offset - known)
        elif known - offset <= self._limit_ms:
            seen.source_offset, self._behind = offset, None
        elif self._behind is None or offset - self._behind[1] > self._limit_ms:
            self._behind = (now, offset)  # late, or catching up
        elif now - self._behind[0] >= _BEHIND_MS:
            self._source_moved(offset, now, offset - known)
        return ahead

    def _ahead_of_time(self, heartbeat: int, now: int, stamps: Sequence[datetime]) -> int:
        """How far the source's clock is ahead of where it can be by now; from now on that is where it is."""
        seen, offset, passed = self._seen, heartbeat - now, now - self._seen.looked
        if seen.high_us is None or seen.first is None or seen.heartbeat is None:
            seen.high_us, seen.first = offset * 1000, now
        elif heartbeat < seen.heartbeat - _SET_BACK_MS:
            seen.high_us = min(seen.high_us, offset * 1000)
        elif (ahead := offset - seen.high_us // 1000) > self._limit_ms + passed * _DRIFT_PPM // 1_000_000:
            if not passed:
                return 0  # within one moment nothing can be judged: the next one shows
            seen.high_us = offset * 1000
            late_at_first = now - seen.first < _FIRST_MS and _largest_hole(seen.heartbeat, stamps, heartbeat) < ahead
            return 0 if late_at_first else ahead
        elif -ahead <= self._limit_ms:
            seen.high_us += _followed_us(ahead, passed)
        return 0

    def _source_moved(self, offset: int, now: int, step: int) -> None:
        seen = self._seen
        seen.source_step += step
        seen.source_offset, self._behind = offset, None
        seen.doubted_until = now + _CONFIRMED_AFTER_MS

    def _monotonic_ms(self) -> int:
        return int(self._host.monotonic() * 1000)


def _followed_us(ahead: int, passed: int) -> int:
    """What of a small distance is followed after `passed` milliseconds: what clocks may have drifted in them.

    After a long pause no more than after a short one, for what comes first then comes late.
    """
    most = min(passed, _FOLLOWED_MS) * _DRIFT_PPM // 1000
    return max(-most, min(most, ahead * 1000))


def _largest_hole(after: int, stamps: Sequence[datetime], until: int) -> int:
    """The longest stretch from `after` to `until` (ms) in which none of `stamps` lies."""
    times = [after, *(time for stamp in stamps if after < (time := to_ms(stamp)) < until), until]
    return max(later - earlier for earlier, later in pairwise(times))
