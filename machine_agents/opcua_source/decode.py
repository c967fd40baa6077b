"""Notifications to observations."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from asyncua import ua

from machine_agents.observation import HEARTBEAT, Observation
from machine_agents.opcua_source.notification import Message
from machine_agents.profile import Convert

_OVERFLOW = 0x480  # InfoType DataValue with the overflow bit (Part 4, 7.39)
_UNCERTAIN = 0x40000000


@dataclass(slots=True)
class Taken:
    """What one notification message said."""

    observations: list[Observation] = field(default_factory=list)
    heartbeat_ms: int | None = None
    overflowed: set[str] = field(default_factory=set)


class Decoder:
    """Client handle n is the n-th of `signals`."""

    def __init__(self, signals: Sequence[str], converters: dict[str, Convert]) -> None:
        self._items = [(signal, converters[signal]) if signal in converters else None for signal in signals]

    def take(self, message: Message) -> Taken:
        """Every value in the message; a bad one is None, and so is one of a type that the signal cannot have."""
        taken = Taken()
        items, add = self._items, taken.observations.append
        count, told, at = len(items), 0, message.published
        for handle, given, code, source in message.changes:
            found = items[handle] if handle < count else None
            if found is None:
                continue
            if source != told:  # values of one sampling bear the same time
                told, at = source, _time(source, message.published)
            signal, convert = found
            value = convert(given) if code < _UNCERTAIN and given is not None else None
            add(Observation(signal, value, at))
            if code & _OVERFLOW == _OVERFLOW:
                taken.overflowed.add(signal)
            if signal == HEARTBEAT and value is not None:
                taken.heartbeat_ms = max(taken.heartbeat_ms or 0, int(value))
        return taken


def _time(source: int, published: datetime) -> datetime:
    """A source time; that of the message where none was told."""
    moment: datetime = ua.win_epoch_to_datetime(source) if source > 0 else published
    return moment
