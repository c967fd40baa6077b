"""A recording cut into chunks for the player, each closed by a heartbeat. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from machine_agents.observation import HEARTBEAT, REPLAYED, Observation

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Pace:
    """How chunks are cut: `values` at most in one (also of one node), spanning at most `span` of recorded time.

    Heartbeats come at least every `alive` of recorded time with power on, else every `asleep`.
    """

    values: int = 1_000
    span: timedelta | None = None
    alive: timedelta = timedelta(minutes=1)
    asleep: timedelta = timedelta(minutes=15)


@dataclass(slots=True)
class Chunk:
    """Observations in order, the last of them a heartbeat: nothing up to its time comes afterwards.

    `recorded` of them are the recording's own, the others heartbeats.
    """

    observations: list[Observation] = field(default_factory=list)
    recorded: int = 0

    @property
    def until(self) -> datetime:
        return self.observations[-1].source_time

    def split(self, size: int) -> "tuple[Chunk, Chunk]":
        """The first `size` observations, and the rest with the heartbeat."""
        parts = self.observations[:size], self.observations[size:]
        first, rest = (Chunk(part, sum(seen.signal != HEARTBEAT for seen in part)) for part in parts)
        return first, rest


def heartbeat(at: datetime) -> Observation:
    """The heartbeat that says: all up to `at` has been told. In whole milliseconds, rounded down."""
    count = (at - _EPOCH) // _MILLISECOND
    return Observation(HEARTBEAT, count, _EPOCH + count * _MILLISECOND)


def chunks(observations: Iterable[Observation], pace: Pace, *, begin: datetime, end: datetime) -> Iterator[Chunk]:
    """Cut what lies in [begin, end); observations must be in order of source time."""
    cutter = _Cutter(pace, begin)
    for seen in observations:
        if begin <= seen.source_time < end and seen.signal not in (HEARTBEAT, REPLAYED):
            yield from cutter.take(seen)
    yield from cutter.close(end)


class _Cutter:
    def __init__(self, pace: Pace, begin: datetime) -> None:
        self._pace = pace
        self._chunk = Chunk()
        self._beat = begin
        self._last = begin
        self._start = begin
        self._power = False

    def take(self, seen: Observation) -> Iterator[Chunk]:
        if seen.source_time != self._last:
            # Only here, between two different times, is everything up to `last` told.
            if self._is_full(seen.source_time):
                yield self._cut(self._last)
            yield from self._pass(seen.source_time)
        self._chunk.observations.append(seen)
        self._chunk.recorded += 1
        self._last = seen.source_time
        if seen.signal == "power":
            self._power = seen.value is True

    def close(self, end: datetime) -> Iterator[Chunk]:
        yield from self._pass(end)
        # Rounded up, so that the last value is covered: after it comes nothing that could be earlier.
        yield self._cut(end + _MILLISECOND - timedelta(microseconds=1))

    def _is_full(self, at: datetime) -> bool:
        if not self._chunk.observations:
            return False
        span = self._pace.span
        return len(self._chunk.observations) >= self._pace.values or (span is not None and at - self._start >= span)

    def _pass(self, now: datetime) -> Iterator[Chunk]:
        """Beat through the time from the last heartbeat to just before `now`."""
        step = self._pace.alive if self._power else self._pace.asleep
        while (beat := self._beat + step) < now:
            if beat < self._last:
                beat = self._last
            self._beat = beat
            self._chunk.observations.append(heartbeat(beat))
            if self._is_full(beat):
                yield self._cut(None)

    def _cut(self, at: datetime | None) -> Chunk:
        chunk, self._chunk = self._chunk, Chunk()
        if at is not None:
            chunk.observations.append(heartbeat(at))
            self._beat = at
        self._start = self._beat
        return chunk
