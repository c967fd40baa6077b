"""A segment of telemetry arrives: stored once, or kept aside with its reason."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from metering.machine import Agent
from metering.store import MeteringStore
from metering.telemetry.segment import BadSegment, parse, unpack
from metering.telemetry.shelf import Shelf
from metering.telemetry.store import TelemetryStore
from metering.telemetry.stretch import NoPolicy, Stored

MAX_ASIDE = 100
"""Refused segments of a meter that are kept; beyond it only the refusal is told."""


class State(StrEnum):
    """What became of a segment."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Receipt:
    """`digest` is the SHA-256 (hex) of what came; `reason` says why it was kept aside."""

    state: State
    number: int
    digest: str
    reason: str = ""


def receive(
    packed: bytes, *, agent: Agent, machines: MeteringStore, store: TelemetryStore, shelf: Shelf, now: datetime
) -> Receipt:
    """Store a segment of `agent`'s meter. The same again is a no-op; another content under its number is kept aside.

    Files first, then the manifest's row: a kill in between is mended by the agent's retry. Needs the worker's role.
    """
    digest = hashlib.sha256(packed).hexdigest()
    try:
        segment = parse(unpack(packed))
        stored = Stored.of(segment)
        if stored.meter != agent.meter_serial:
            raise BadSegment(f"it is of meter {stored.meter}, this agent's is {agent.meter_serial}")
    except (BadSegment, NoPolicy) as error:
        nothing = Stored(agent.meter_serial, 0, 0, 0, 0, 0, 0, ())
        return _aside(State.UNREADABLE, nothing, str(error), packed, digest, agent, store, shelf, now)
    machines.lock_meter(agent.meter_id)
    known = store.digest_of(agent.meter_id, stored.number)
    if known == digest:
        return Receipt(State.DUPLICATE, stored.number, digest)
    if known is not None:
        reason = f"another content is stored as segment {stored.number}"
        return _aside(State.CONFLICT, stored, reason, packed, digest, agent, store, shelf, now)
    machine = store.machine_of(agent.meter_id)
    shelf.put(segment, machine=machine, meter=agent.meter_id)
    _note(stored, None, packed, digest, agent, store, now)
    return Receipt(State.STORED, stored.number, digest)


def _aside(
    state: State,
    stored: Stored,
    reason: str,
    packed: bytes,
    digest: str,
    agent: Agent,
    store: TelemetryStore,
    shelf: Shelf,
    now: datetime,
) -> Receipt:
    if store.refused_of(agent.meter_id) < MAX_ASIDE:
        shelf.keep_aside(packed, meter=agent.meter_id, digest=digest)
        _note(stored, reason, packed, digest, agent, store, now)
    return Receipt(state, stored.number, digest, reason)


def _note(
    stored: Stored,
    refused: str | None,
    packed: bytes,
    digest: str,
    agent: Agent,
    store: TelemetryStore,
    now: datetime,
) -> None:
    store.add(
        stored,
        meter_id=agent.meter_id,
        owner_id=agent.owner_id,
        machine_id=store.machine_of(agent.meter_id),
        digest=digest,
        size=len(packed),
        refused=refused,
        now=now,
    )
