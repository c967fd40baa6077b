"""Machines, the meters on them, and the agents that read the meters, as values."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

_NAMESPACE = UUID("0b9d6f0a-5c1d-5b57-8a52-3b1f6d6e4c20")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine tool and whose it is. Its `zone` (IANA) rules time-of-use windows."""

    id: UUID
    owner_id: UUID
    name: str
    model: str
    zone: str = "Europe/Berlin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A machine's meter. `register_codes` and `spindles` are the layouts of its stored arrays; they only grow."""

    id: UUID
    machine_id: UUID
    owner_id: UUID
    serial: str
    register_codes: tuple[str, ...] = ()
    spindles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A box beside a machine: the key that it seals with is pinned at enrolment.

    `public_key_pem` is the newest key, valid from record `key_first` on; earlier ones are in the store's keyring.
    """

    id: UUID
    meter_id: UUID
    owner_id: UUID
    meter_serial: str
    machine_model: str
    name: str
    version: str
    public_key_pem: str
    fingerprint: str
    enrolled_at: datetime
    key_first: int = 1
    revoked_at: datetime | None = None
    revoked_why: str = ""


def with_trust(agent: Agent, trust: Sequence[Any]) -> Agent:
    """The agent with another key, fingerprint, first record, revocation and its reason: as they are stored now."""
    pem, fingerprint, key_first, revoked_at, why = trust
    changed = {"public_key_pem": pem, "fingerprint": fingerprint, "key_first": key_first}
    return replace(agent, **changed, revoked_at=revoked_at, revoked_why=why)


def machine_id(owner_id: UUID, name: str) -> UUID:
    """Id of the owner's machine of this name."""
    return uuid5(_NAMESPACE, f"machine:{owner_id}:{name}")


def meter_id(serial: str) -> UUID:
    """Id of the meter with this serial number."""
    return uuid5(_NAMESPACE, f"meter:{serial}")


def agent_id(meter_serial: str, fingerprint: str) -> UUID:
    """Id of the agent that seals this meter's readings with this key."""
    return uuid5(_NAMESPACE, f"agent:{meter_serial}:{fingerprint}")


def refused_id(agent: UUID, digest: str) -> UUID:
    """Id of a text that this agent sent and that was refused."""
    return uuid5(_NAMESPACE, f"refused:{agent}:{digest}")


def access_id(meter: UUID, party: UUID, reason: str) -> UUID:
    """Id of a party's access to a meter for a reason (the lease or booking that gives it)."""
    return uuid5(_NAMESPACE, f"access:{meter}:{party}:{reason}")
