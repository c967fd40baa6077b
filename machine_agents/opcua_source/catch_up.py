"""What was missed, read from the server's history: part by part, and no value that it does not prove.

Of each signal history must reach back to what was taken last and up to what is seen now; where it does not, the signal
is unknown (None), and with it those that must not count alone (`coverage`). A loss within a subscription is made good
in one piece with what follows it; what lies between two subscriptions is delivered part by part, each stored before the
next is asked for, so that a restart goes on after the last of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from asyncua import ua

from machine_agents.config import SourceConfig
from machine_agents.delivery import Delivery, History, Known, Moment, Sink
from machine_agents.observation import HEARTBEAT
from machine_agents.opcua_source.history import NodeHistory, TooMuch, as_told
from machine_agents.opcua_source.history_parts import Asked, OutOfTime, Parts
from machine_agents.opcua_source.nodes import Resolution
from machine_agents.opcua_source.session import Link
from machine_agents.status import Status
from metering.period import Period

_FIRST_PART, _SHORTEST_PART, _LONGEST_PART = timedelta(minutes=5), timedelta(seconds=1), timedelta(days=1)
_FEW = 10_000
_MARGIN = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Missed:
    """A loss. `signals` were lost of the `given` ones; `seen` is what came first after it, by signal.

    Between two subscriptions `first` is the new one's first heartbeat and `state` its text, with which parts are
    stored; within one they are None.
    """

    signals: frozenset[str]
    given: tuple[str, ...]
    seen: Mapping[str, Moment]
    first: datetime | None = None
    state: str | None = None


class CatchUp:
    """Reads one loss's history. Use once. What a Refused cannot say is the connection's end, and raised."""

    def __init__(
        self,
        link: Link,
        config: SourceConfig,
        resolution: Resolution,
        sink: Sink,
        status: Status,
        *,
        seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        """`seconds`: how long all of it may take."""
        self._link, self._config, self._sink, self._status = link, config, sink, status
        self._found = {one.signal: one for one in resolution.found}
        self._monotonic, self._seconds, self._end = monotonic, seconds, monotonic() + seconds

    async def run(self, missed: Missed, known: Known) -> History | None:
        """What history tells of the loss, up to its end; None when it tells nothing. Earlier parts are stored."""
        why: dict[str, str] = {}
        asked = await self._ask_for(missed, known, why)
        if not asked and not why:  # only the heartbeat: it counts towards nothing
            return None
        parts = Parts(asked, missed.signals, missed.given, known, why, again=missed.first, in_time=self._in_time)
        last = None
        try:
            await parts.measure()
            if missed.first is not None and missed.state is not None:
                await self._between_subscriptions(missed, parts, missed.first - _MARGIN, missed.state)
            last = await _last(parts)
        except OutOfTime:
            why["the rest"] = f"reading took longer than {self._seconds:g} s"
        self._tell(parts, last, why)
        return last

    async def _ask_for(self, missed: Missed, known: Known, why: dict[str, str]) -> dict[str, Asked]:
        """The signals whose nodes have a history, and that are known on both sides of the loss."""
        wanted = [one for one in missed.given if one in missed.signals and one in self._found and one != HEARTBEAT]
        seen_now = await self._read([one for one in wanted if one not in missed.seen])
        asked = {}
        for signal in wanted:
            found, left = self._found[signal], known.last.get(signal)
            seen = missed.seen.get(signal) or seen_now.get(signal)
            if not found.history:
                why[signal] = "no history"
            elif left is None or seen is None:
                why[signal] = "not known before and after"
            else:
                convert, limit = found.entry.converter(), self._config.request_seconds
                asked[signal] = Asked(NodeHistory(self._link.session, found.node, convert, seconds=limit), left, seen)
        return asked

    async def _read(self, signals: Sequence[str]) -> dict[str, Moment]:
        """The present values of signals that said nothing since the loss."""
        nodes = [self._found[signal].node for signal in signals]
        read = await self._link.session.read_attributes(nodes, ua.AttributeIds.Value) if nodes else []
        told: dict[str, Moment] = {}
        for signal, one in zip(signals, read, strict=True):
            if (moment := as_told(one, self._found[signal].entry.converter())) is not None:
                told[signal] = (moment[0], (moment[1],))
        return told

    async def _between_subscriptions(self, missed: Missed, parts: Parts, end: datetime, state: str) -> None:
        """Store part by part, of a length that suits what there is."""
        length, first = _FIRST_PART, True
        while parts.at < end and parts.any_usable():
            until = min(parts.at + length, end)
            try:
                history = await parts.read(until)
            except TooMuch:
                if length <= _SHORTEST_PART:
                    parts.give_up("there are too many values")
                length = max(length / 2, _SHORTEST_PART)
                continue
            lost = missed.signals if first else frozenset()
            self._sink.deliver(Delivery((), until, state, missed.given, lost=lost, history=history))
            first = False
            if len(history.observations) < _FEW:
                length = min(2 * length, _LONGEST_PART)

    def _in_time(self) -> None:
        if self._monotonic() > self._end:
            raise OutOfTime

    def _tell(self, parts: Parts, last: History | None, why: Mapping[str, str]) -> None:
        """Say what was recovered and what was not, in the log and among the facts."""
        if parts.stretch is None:
            self._status.note(
                "source", history="; ".join(f"{one}: {said}" for one, said in sorted(why.items())) or None
            )
            self._status.say("nothing recovered from history", why=dict(why))
            return
        period = Period(*parts.stretch)
        self._status.count("source", "history_values", parts.count)
        self._status.count("source", "history_stretches")
        self._status.count("source", "history_seconds", round(period.length.total_seconds()))
        rest = f"; not {', '.join(f'{one} ({said})' for one, said in sorted(why.items()))}" if why else ""
        said = f"{parts.count} values of {period.start.isoformat()} to {period.end.isoformat()} recovered{rest}"
        self._status.note("source", history=said)
        self._status.say("recovered from history", begin=period.start, end=period.end, values=parts.count, not_all=why)


async def _last(parts: Parts) -> History | None:
    """What is left, up to what is seen now; of more than can be taken at once only the first of it."""
    if not parts.any_usable():
        return None
    while True:
        try:
            return await parts.read(None)
        except TooMuch:
            if not parts.halve():
                return None
