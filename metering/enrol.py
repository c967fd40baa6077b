"""Enrolment: a machine gets a meter and a one-time code; whoever brings the code first pins its key to the meter."""

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from metering import ocmf
from metering.machine import Agent, Machine, Meter, agent_id, meter_id
from metering.store import EnrolmentCodeRow, MeteringStore

VALID_FOR = timedelta(days=7)


class EnrolmentRefused(Exception):
    """The code cannot be used: ask the operator for a new one."""


class UnknownCode(EnrolmentRefused):
    """There is no such enrolment code: check its spelling."""


class CodeExpired(EnrolmentRefused):
    """The enrolment code is too old: ask the operator for a new one."""


class AlreadyEnrolled(EnrolmentRefused):
    """The code, or the meter, is already in use by an agent with another key."""


class MeterTaken(ValueError):
    """The serial number is that of another machine's meter: give this one its own."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """What the operator passes on to whoever sets up the agent; the code is not stored and cannot be shown again."""

    meter: Meter
    code: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What the agent keeps: who it is, which meter it is, and the token that it sends readings with."""

    agent_id: UUID
    meter_serial: str
    machine_model: str
    token: str


def invite(
    machine: Machine,
    serial: str,
    *,
    store: MeteringStore,
    now: datetime,
    valid_for: timedelta = VALID_FOR,
    replaces: bool = False,
) -> Invitation:
    """Register `machine` and its meter, if they are not there, and make a one-time code for the meter's agent.

    With a code that `replaces`, another key may take over the chain of an agent that is there: a box made anew.
    """
    store.add_machine(machine, now=now)
    store.add_meter(
        Meter(id=meter_id(serial), machine_id=machine.id, owner_id=machine.owner_id, serial=serial), now=now
    )
    meter = store.meter(meter_id(serial))
    if meter.machine_id != machine.id:
        raise MeterTaken(f"meter {serial} belongs to another machine")
    code, expires_at = secrets.token_urlsafe(18), now + valid_for
    store.add_code(_hash(code), meter, salt=secrets.token_hex(16), replaces=replaces, expires_at=expires_at, now=now)
    return Invitation(meter, code, expires_at)


def redeem(code: str, public_key_pem: str, *, name: str, version: str, store: MeteringStore, now: datetime) -> Enrolled:
    """Pin the key to the code's meter. The same code with the same key gives the same answer until the code expires.

    Raises EnrolmentRefused, or BadKey when `public_key_pem` is no P-256 key.
    """
    fingerprint = ocmf.fingerprint(ocmf.public_from_pem(public_key_pem))
    found = store.lock_code(_hash(code))
    if found is None:
        raise UnknownCode("there is no such enrolment code: check its spelling")
    if found.expires_at <= now:
        raise CodeExpired(f"the enrolment code expired at {found.expires_at:%Y-%m-%d %H:%M} UTC: ask for a new one")
    meter = store.meter(found.meter_id)
    there = store.agent_of(meter.id)
    if there is not None and found.replaces:
        return _take_over(there, found, code, public_key_pem, fingerprint, name, version, store=store, now=now)
    agent = agent_id(meter.serial, fingerprint)
    if (found.agent_id or agent) != agent or (there is not None and there.id != agent):
        raise AlreadyEnrolled("an agent with another key is enrolled with this code or for this meter")
    if there is not None and (there.revoked_at or there.fingerprint != fingerprint):
        raise AlreadyEnrolled("this meter's agent was revoked or has another key now: ask for a code that replaces it")
    # From code, key and salt: a retry gets the same token although only its hash is kept.
    token = _hash(f"{found.salt}:{code}:{fingerprint}")
    machine = store.machine(meter.machine_id)
    enrolled = Agent(
        id=agent,
        meter_id=meter.id,
        owner_id=meter.owner_id,
        meter_serial=meter.serial,
        machine_model=machine.model,
        name=name,
        version=version,
        public_key_pem=public_key_pem,
        fingerprint=fingerprint,
        enrolled_at=now,
    )
    store.add_agent(enrolled, token_hash=_hash(token))
    store.redeem_code(_hash(code), agent, now=now)
    return Enrolled(agent, meter.serial, machine.model, token)


def _take_over(
    there: Agent,
    found: EnrolmentCodeRow,
    code: str,
    public_key_pem: str,
    fingerprint: str,
    name: str,
    version: str,
    *,
    store: MeteringStore,
    now: datetime,
) -> Enrolled:
    """A box made anew goes on with the chain: its key signs from the next record on. Again: the same answer."""
    chain, _ = store.lock_chain(there)
    there = store.trusted_now(there)
    if found.agent_id is not None and there.fingerprint != fingerprint:
        raise AlreadyEnrolled("another key has taken the meter over with this code: ask for a new one")
    if there.fingerprint != fingerprint:
        first = chain.pagination + 1
        store.add_key(there, public_key_pem, fingerprint, first=first, reason="enrolled anew", now=now)
    token = _hash(f"{found.salt}:{code}:{fingerprint}")
    store.set_token(replace(there, name=name, version=version), _hash(token))
    store.set_revoked(replace(there, revoked_at=None, revoked_why=""))
    store.redeem_code(_hash(code), there.id, now=now)
    return Enrolled(there.id, there.meter_serial, there.machine_model, token)


def identify(token: str, *, store: MeteringStore) -> Agent | None:
    """The agent that a bearer token belongs to; None when there is none."""
    return store.agent_by_token(_hash(token))


def _hash(secret: str) -> str:
    """SHA-256 is enough for secrets of 144 random bits and more: there is nothing to guess."""
    return hashlib.sha256(secret.encode()).hexdigest()
