"""Notifications to observations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from asyncua import ua

from machine_agents.observation import HEARTBEAT, Observation
from machine_agents.profile import Convert

_OVERFLOW = 0x480  # InfoType DataValue with the overflow bit (Part 4, 7.39)


@dataclass(slots=True)
class Taken:
    """What one notification message said. `closed` is the reason when the server ended the subscription."""

    observations: list[Observation] = field(default_factory=list)
    heartbeat_ms: int | None = None
    overflowed: set[str] = field(default_factory=set)
    closed: str = ""


class Decoder:
    """Client handle n is the n-th of `signals`."""

    def __init__(self, signals: Sequence[str], converters: dict[str, Convert]) -> None:
        self._items = [(signal, converters[signal]) if signal in converters else None for signal in signals]

    def take(self, message: ua.NotificationMessage) -> Taken:
        """Every value in the message; a bad one is None, and so is one of a type that the signal cannot have."""
        taken = Taken()
        published = message.PublishTime
        for data in message.NotificationData or []:
            if isinstance(data, ua.DataChangeNotification):
                self._take_values(data.MonitoredItems or [], published, taken)
            elif isinstance(data, ua.StatusChangeNotification):
                taken.closed = str(data.Status.name)
        return taken

    def _take_values(self, items: Iterable[Any], published: datetime, taken: Taken) -> None:
        known, add = self._items, taken.observations.append
        for item in items:
            found = known[item.ClientHandle] if item.ClientHandle < len(known) else None
            if found is None:
                continue
            signal, convert = found
            data = item.Value
            code = data.StatusCode.value if data.StatusCode is not None else 0
            stamp = data.SourceTimestamp
            value = convert(data.Value.Value) if code < 0x40000000 and data.Value is not None else None
            add(Observation(signal, value, published if stamp is None else stamp))
            if signal == HEARTBEAT and value is not None:
                taken.heartbeat_ms = max(taken.heartbeat_ms or 0, int(value))
            if code & _OVERFLOW == _OVERFLOW:
                taken.overflowed.add(signal)
