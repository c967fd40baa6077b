"""Proof of life by the agent's word: while its adapter is available, `power` is said again with each answer.

An agent gives values on change only, so a machine at rest is silent for hours. Whether its word is enough is the
configuration's choice (`available_is_life`): a frozen adapter that stays available would be believed.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from machine_agents.mtconnect_source.streams import Seen
from machine_agents.observation import Observation

_SAID_AGAIN = "power"


class Life:
    """`watched`: ids of the AVAILABILITY items, all of which must be available; none: nothing is ever said again."""

    def __init__(self, watched: frozenset[str]) -> None:
        self.watched = watched
        self._available: dict[str, bool] = {}
        self._value: int | str | bool | None = None

    def take(self, seen: Iterable[Seen], observed: Iterable[Observation]) -> None:
        """Note what was said last."""
        self._available.update({one.item: one.text == "AVAILABLE" for one in seen if one.item in self.watched})
        for observation in observed:
            if observation.signal == _SAID_AGAIN:
                self._value = observation.value

    def signs(self, moment: datetime) -> Sequence[Observation]:
        """The sign of life at `moment`, if there is one."""
        there = bool(self.watched) and all(self._available.get(one, False) for one in self.watched)
        return [Observation(_SAID_AGAIN, self._value, moment)] if there and self._value is not None else []
