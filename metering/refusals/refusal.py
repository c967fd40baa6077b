"""What is kept aside, what was settled, and what is alarmed on, as values."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

_NAMESPACE = UUID("9c5f0d7e-54a3-5d1b-8b0e-2f7d3c6a1e90")


@dataclass(frozen=True, slots=True)
class KeptAside:
    """A refused text that nobody has settled. `pagination` is the number that it claims, None where it has none."""

    id: UUID
    agent_id: UUID
    pagination: int | None
    reason: str
    digest: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Settled:
    """A refused record that was settled: who, when and why. Records `after` + 1 to `last` are an accepted gap; a record
    that was only noted has neither. `pagination` is the number that it claimed, if any."""

    refused_id: UUID
    pagination: int | None
    digest: str
    after: int | None
    last: int | None
    why: str
    by: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Alarm:
    """Records of this meter's agent were refused, and are not settled. `count` is of now."""

    meter_id: UUID
    serial: str
    raised_at: datetime
    count: int


def alarm_id(agent: UUID, raised_at: datetime) -> UUID:
    """The id of the alarm raised about an agent at that moment."""
    return uuid5(_NAMESPACE, f"alarm/{agent}/{raised_at.isoformat()}")
