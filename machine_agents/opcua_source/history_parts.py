"""One loss's history in parts: which signals it tells, from where to where, and what each part puts in."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from machine_agents.coverage import Span, needs, usable
from machine_agents.delivery import History, Known, Moment
from machine_agents.observation import Observation
from machine_agents.opcua_source.history import NodeHistory, Refused, Told
from metering.period import Period

MOST_AT_ONCE = 100_000
"""Values of one part: as many as a small computer holds and folds within seconds."""
_MS, _TICK = timedelta(milliseconds=1), timedelta(microseconds=1)
_LOOKS_FOR_THE_END = 4
_PAUSE_SECONDS = 0.25
_NEVER = datetime.max.replace(tzinfo=UTC)


class OutOfTime(Exception):
    """The reading took longer than it may."""


@dataclass(slots=True)
class Asked:
    """One signal: where it was left before the loss, and what of it was seen first afterwards.

    `since` is where its next part begins. `open`: what was put in of it last still holds.
    """

    history: NodeHistory
    left: Moment
    seen: Moment
    since: datetime = _NEVER
    open: bool = False

    def __post_init__(self) -> None:
        self.since = self.left[0]


class Parts:
    """Parts follow on each other from `at` on. `count`: the values so far, `stretch`: where they lie.

    `why` is given what of each signal is not to be had.
    """

    def __init__(
        self,
        asked: Mapping[str, Asked],
        missed: frozenset[str],
        given: tuple[str, ...],
        known: Known,
        why: dict[str, str],
        *,
        again: datetime | None,
        in_time: Callable[[], None],
    ) -> None:
        """`again`: when all is seen again, where that is told. `in_time` raises OutOfTime when there is none left."""
        self._asked, self._missed, self._given, self._why = asked, missed, given, why
        self._known, self._in_time = known, in_time
        self._needed = {needed for signal in asked for needed in needs(signal, given)}
        self._spans: dict[str, Span] = {}
        self._told: set[str] = set()
        self._begun = False
        self.at = known.until
        self._again = again or max([known.until, *(one.seen[0] for one in asked.values())])
        self.count = 0
        self.stretch: tuple[datetime, datetime] | None = None

    async def measure(self) -> None:
        """How far back and how far forth each history reaches. A historian may be a little behind: ask again."""
        for look in range(_LOOKS_FOR_THE_END):
            late = [
                signal
                for signal in self._asked
                if signal not in self._why and (signal not in self._spans or self._spans[signal].end is not None)
            ]
            if late and look:
                await asyncio.sleep(_PAUSE_SECONDS)
            for signal in late:
                self._in_time()
                try:
                    self._spans[signal] = await _span(self._asked[signal])
                except Refused as refused:
                    self._why[signal] = str(refused)
        for signal, span in self._spans.items():
            if span != Span():
                self._why[signal] = "no history of then" if span.empty else "history is shorter than the gap"
        left_out = self._spans.keys() - self._usable().keys() - self._why.keys()
        self._why.update(dict.fromkeys(left_out, "nothing without what is lacking"))

    def any_usable(self) -> bool:
        return bool(self._usable())

    def give_up(self, why: str) -> None:
        """Take nothing more."""
        for signal, span in self._spans.items():
            self._end(signal, span, self.at, why)

    def halve(self) -> bool:
        """Take only the first half of what is left; False when that is nothing."""
        usable = self._usable()
        ends = [min(self._asked[signal].seen[0], span.end or _NEVER) for signal, span in usable.items()]
        half = (max(ends, default=self.at) - self.at) / 2
        for signal, span in self._spans.items():
            self._end(signal, span, self.at + half, "there are too many values")
        return half > _MS

    async def read(self, until: datetime | None) -> History:
        """The next part, up to `until`; None: up to what is seen now. TooMuch when it is to be asked for shorter."""
        values: dict[str, list[Told]] = {}
        for signal, span in self._usable().items():
            values[signal] = await self._values(signal, span, until, MOST_AT_ONCE - sum(map(len, values.values())))
        spans = self._usable()  # once more: what was just read may be broken
        observations: list[Observation] = []
        for signal in self._asked:
            observations += self._observed(signal, spans.get(signal), values.get(signal, []), until)
        return self._part(observations, spans, until)

    def _usable(self) -> dict[str, Span]:
        return usable(self._spans, self._missed, self._given)

    def _end(self, signal: str, span: Span, at: datetime, why: str) -> None:
        nothing = at <= self._asked[signal].left[0]
        self._spans[signal] = Span(_NEVER, at) if nothing else span.within(Span(None, at))
        self._why[signal] = why

    async def _values(self, signal: str, span: Span, until: datetime | None, most: int) -> list[Told]:
        """What history has of one signal in this part, beginning with what holds where its span begins."""
        self._in_time()
        one = self._asked[signal]
        low = max(one.since, span.begin or one.since)
        high = min(until or _NEVER, span.end or _NEVER, max(one.seen[0], one.left[0]))
        if low > high:
            return []
        try:
            stretch = await one.history.between(low, high, most)
            values = stretch.values
            if span.begin is not None and not one.open and (not values or values[0][0] > low):
                before = await one.history.newest(low)
                values = [(low, before[1]), *values] if before else values
        except Refused as refused:
            self._end(signal, span, low, str(refused))
            return []
        if stretch.broken:
            self._end(signal, span, values[-1][0] if values else low, stretch.broken)
        if signal in self._needed and (bad := next((told for told in values if told[1] is None), None)):
            self._end(signal, span, bad[0], "its values are bad, and others depend on it")
        return [told for told in values if told[0] != one.left[0] or told[1] not in one.left[1]]

    def _observed(
        self, signal: str, span: Span | None, values: list[Told], until: datetime | None
    ) -> list[Observation]:
        """One signal's share of the part: its values, where it begins and where it ends."""
        one = self._asked[signal]
        if span is None:
            ended, one.open = one.open, False
            return [Observation(signal, None, self.at)] if ended else []
        begin, end = span.begin or one.since, span.end or _NEVER
        kept = [Observation(signal, value, at) for at, value in values if begin <= at <= end]
        if span.begin is not None and not one.open and kept and not self._begun:
            kept.insert(0, Observation(signal, None, min(self._known.until, begin)))
        if kept or span.begin is None:
            one.open = True
            self._told.add(signal)
        if one.open and span.end is not None and (until is None or end <= until):
            kept.append(Observation(signal, None, max(end, one.since)))
            one.open = False
            self._spans[signal] = replace(span, begin=_NEVER, end=end)
        if until is not None:
            one.since = max(one.since, until + _TICK)
        return kept

    def _part(self, observations: list[Observation], spans: Mapping[str, Span], until: datetime | None) -> History:
        # What exempts a spindle ends after the spindle does: it did not start to turn in between.
        observations.sort(key=lambda seen: (seen.source_time, seen.value is None and seen.signal.endswith(".as_axis")))
        start, end = self.at, until or max(self.at + _MS, self._again)
        if spans:
            self.stretch = (self.stretch[0] if self.stretch else start, end)
        self.count += sum(seen.value is not None for seen in observations)
        self._begun, self.at = True, end
        joined = frozenset(signal for signal, span in spans.items() if span.end is None)
        return History(Period(start, end), observations, frozenset(self._told), joined)


async def _span(one: Asked) -> Span:
    """What history has between the two values that are known: it must agree with both where it tells them."""
    nothing = Span(_NEVER, one.left[0])
    newest = await one.history.newest(max(one.seen[0], one.left[0]))
    if newest is None or not _agrees(newest, one.seen):
        return nothing
    end = None if newest[0] > one.seen[0] - _MS else newest[0]
    if end is not None and end <= one.left[0]:
        return nothing
    if (before := await one.history.newest(one.left[0])) is not None:
        return Span(None, end) if _agrees(before, one.left) else nothing
    oldest = await one.history.oldest(one.left[0], one.seen[0])
    return nothing if oldest is None else Span(oldest[0], end)


def _agrees(told: Told, known: Moment) -> bool:
    return told[0] != known[0] or told[1] in known[1]
