"""What a source hands over at once, and what the one who takes it promises: stored durably, or refused whole."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Protocol

from machine_agents.observation import Observation


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """Everything needed to take up a subscription again after a break or a restart of the agent.

    `token` and `nonce` belong to the session, `signals` is the order that client handles count. `last_sequence` is the
    last notification stored. `ready`: the monitored items are known to exist. `fresh`: nothing of this subscription was
    stored yet, so what lies before its first heartbeat was not seen. `profile` and `server` say what it was made for,
    `granted` what the server made of our wishes.
    """

    token: str = ""
    nonce: str = ""
    subscription: int = 0
    last_sequence: int = 0
    signals: tuple[str, ...] = ()
    ready: bool = False
    fresh: bool = True
    profile: str = ""
    server: str = ""
    granted: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "SubscriptionState":
        plain = json.loads(text)
        return cls(**(plain | {"signals": tuple(plain["signals"])}))


@dataclass(frozen=True, slots=True)
class Delivery:
    """Observations in order of arrival, to be stored together with `state`.

    `heartbeat` is the newest one: everything the source saw up to it is in this or an earlier delivery; None when that
    cannot be said yet. `lost` names the signals of which values before these may have been lost: they are not known
    since the heartbeat before. `fresh`: this begins a subscription, so all are.
    """

    observations: Sequence[Observation]
    heartbeat: datetime | None
    state: SubscriptionState
    lost: frozenset[str] = field(default_factory=frozenset)
    fresh: bool = False


class NotStored(Exception):
    """A delivery could not be made durable (disk full, read-only): nothing of it is kept, nothing is acknowledged."""


class Sink(Protocol):
    """Takes deliveries. Both methods return when what was given is on the disk, or raise NotStored."""

    def deliver(self, delivery: Delivery) -> None: ...

    def remember(self, state: SubscriptionState) -> None: ...

    def remembered(self) -> SubscriptionState: ...
