"""Machines, meters, agents, enrolment codes and access: their rows and values."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import Range, insert
from sqlmodel import Session, col, select, update

from metering.keyring import Keyring, in_force
from metering.machine import Agent, Machine, Meter, access_id, with_trust
from metering.period import Period
from metering.quick import AGENT_OF_TOKEN, TRUST, run
from metering.reading import GENESIS
from metering.tables import AgentKeyRow, AgentRow, EnrolmentCodeRow, MachineRow, MeterAccessRow, MeterRow


class UnknownMeter(LookupError):
    """There is no such machine or meter, or it is not yours to see."""


@dataclass(frozen=True, slots=True)
class Head:
    """How far a meter's chain has come: its newest reading's number, and when its agent last sent one."""

    sequence: int
    heard_at: datetime | None


class MachineStore:
    """What is registered and enrolled, as far as the session's role and party may see it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add_machine(self, machine: Machine, *, now: datetime) -> None:
        """Store it; one with the same id gets its name, model and zone."""
        values = {"name": machine.name, "model": machine.model, "zone": machine.zone}
        statement = insert(MachineRow).values(id=machine.id, owner_id=machine.owner_id, recorded_at=now, **values)
        self._session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))

    def add_meter(self, meter: Meter, *, now: datetime) -> None:
        """Store it; one with the same serial stays as it is."""
        statement = insert(MeterRow).values(
            id=meter.id,
            machine_id=meter.machine_id,
            owner_id=meter.owner_id,
            serial=meter.serial,
            register_codes=list(meter.register_codes),
            spindles=list(meter.spindles),
            recorded_at=now,
        )
        self._session.execute(statement.on_conflict_do_nothing())

    def machine(self, machine_id: UUID) -> Machine:
        row = self._session.get(MachineRow, machine_id)
        if row is None:
            raise UnknownMeter(f"no machine {machine_id} that you may see")
        return _machine(row)

    def machines(self) -> list[Machine]:
        """All that may be seen, by name."""
        rows = self._session.exec(select(MachineRow).order_by(MachineRow.name, col(MachineRow.id)))
        return [_machine(row) for row in rows]

    def meter(self, meter_id: UUID) -> Meter:
        row = self._session.get(MeterRow, meter_id)
        if row is None:
            raise UnknownMeter(f"no meter {meter_id} that you may see")
        return _meter(row)

    def meter_by_serial(self, serial: str) -> Meter:
        row = self._session.exec(select(MeterRow).where(MeterRow.serial == serial)).first()
        if row is None:
            raise UnknownMeter(f"no meter with serial {serial!r} that you may see")
        return _meter(row)

    def meters(self, machine_id: UUID | None = None) -> list[Meter]:
        """All that may be seen, or those of one machine, by serial."""
        query = select(MeterRow).order_by(MeterRow.serial)
        if machine_id is not None:
            query = query.where(MeterRow.machine_id == machine_id)
        return [_meter(row) for row in self._session.exec(query)]

    def add_code(
        self, code_hash: str, meter: Meter, *, salt: str, replaces: bool, expires_at: datetime, now: datetime
    ) -> None:
        """Keep an enrolment code's hash; one that `replaces` lets another key take over the meter."""
        row = EnrolmentCodeRow(
            code_hash=code_hash,
            meter_id=meter.id,
            owner_id=meter.owner_id,
            salt=salt,
            replaces=replaces,
            expires_at=expires_at,
            agent_id=None,
            redeemed_at=None,
            recorded_at=now,
        )
        self._session.add(row)
        self._session.flush()

    def lock_code(self, code_hash: str) -> EnrolmentCodeRow | None:
        """The code's row, locked until the transaction ends."""
        query = select(EnrolmentCodeRow).where(EnrolmentCodeRow.code_hash == code_hash).with_for_update()
        return self._session.exec(query.execution_options(populate_existing=True)).first()

    def redeem_code(self, code_hash: str, agent: UUID, *, now: datetime) -> None:
        statement = update(EnrolmentCodeRow).where(col(EnrolmentCodeRow.code_hash) == code_hash)
        self._session.execute(statement.values(agent_id=agent, redeemed_at=now))

    def add_agent(self, agent: Agent, *, token_hash: str) -> None:
        """Enrol it; one with the same id keeps its chain."""
        statement = insert(AgentRow).values(
            id=agent.id,
            meter_id=agent.meter_id,
            owner_id=agent.owner_id,
            name=agent.name,
            version=agent.version,
            public_key_pem=agent.public_key_pem,
            fingerprint=agent.fingerprint,
            token_hash=token_hash,
            enrolled_at=agent.enrolled_at,
            key_first=1,
            revoked_at=None,
            revoked_why="",
            pagination=0,
            sequence=0,
            digest=GENESIS,
            spectrum_cells=[],
            spectrum_ms=[],
        )
        changed = {"token_hash": token_hash, "name": agent.name, "version": agent.version}
        self._session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changed))
        self._keep_key(agent, agent.public_key_pem, agent.fingerprint, (1, 1), "enrolled", agent.enrolled_at)

    def add_key(
        self, agent: Agent, public_key_pem: str, fingerprint: str, *, first: int, reason: str, now: datetime
    ) -> None:
        """From record `first` on the agent signs with this key. The agent's row must be locked."""
        count = self._session.exec(select(func.count()).where(AgentKeyRow.agent_id == agent.id)).one()
        self._keep_key(agent, public_key_pem, fingerprint, (count + 1, first), reason, now)
        changed = {"public_key_pem": public_key_pem, "fingerprint": fingerprint, "key_first": first}
        self._session.execute(update(AgentRow).where(col(AgentRow.id) == agent.id).values(**changed))

    def _keep_key(
        self, agent: Agent, public_key_pem: str, fingerprint: str, place: tuple[int, int], reason: str, now: datetime
    ) -> None:
        """`place` is the key's ordinal and its first record."""
        statement = insert(AgentKeyRow).values(
            agent_id=agent.id,
            ordinal=place[0],
            first_pagination=place[1],
            owner_id=agent.owner_id,
            public_key_pem=public_key_pem,
            fingerprint=fingerprint,
            reason=reason,
            recorded_at=now,
        )
        self._session.execute(statement.on_conflict_do_nothing())

    def keys_of(self, agent_id: UUID) -> list[tuple[int, str]]:
        """(first record, PEM) of every key that has signed or will sign records of the agent, in order."""
        row = AgentKeyRow
        query = select(row.first_pagination, row.public_key_pem).where(row.agent_id == agent_id)
        return in_force((first, pem) for first, pem in self._session.exec(query.order_by(col(row.ordinal))))

    def keyring(self, agent: Agent) -> Keyring:
        """The agent's keys, to verify its records with."""
        if agent.key_first == 1:
            return Keyring.of_pems([(1, agent.public_key_pem)])
        return Keyring.of_pems(self.keys_of(agent.id))

    def trusted_now(self, agent: Agent) -> Agent:
        """The agent with its key and revocation as they are now: under its lock, they are what counts."""
        return with_trust(agent, run(self._session, TRUST, [agent.id])[0])

    def set_revoked(self, agent: Agent) -> None:
        """Keep whether, when and why the agent was revoked."""
        values = {"revoked_at": agent.revoked_at, "revoked_why": agent.revoked_why}
        self._session.execute(update(AgentRow).where(col(AgentRow.id) == agent.id).values(**values))

    def set_token(self, agent: Agent, token_hash: str) -> None:
        """The agent identifies itself by another token, name and version from now on."""
        values = {"token_hash": token_hash, "name": agent.name, "version": agent.version}
        self._session.execute(update(AgentRow).where(col(AgentRow.id) == agent.id).values(**values))

    def agent_of(self, meter_id: UUID) -> Agent | None:
        """The agent that seals this meter's readings."""
        return self._agent(AgentRow.meter_id == meter_id)

    def agent_by_token(self, token_hash: str) -> Agent | None:
        found = run(self._session, AGENT_OF_TOKEN, [token_hash])
        return _agent_of(*found[0]) if found else None

    def agents(self) -> list[Agent]:
        """Every agent that may be seen, by id."""
        return [_agent(*found) for found in self._session.exec(_AGENTS.order_by(col(AgentRow.id)))]

    def heads(self, meters: Iterable[UUID]) -> dict[UUID, Head]:
        """How far each of these meters has come, in one cheap question; a meter without an agent is left out."""
        query = select(AgentRow.meter_id, AgentRow.sequence, col(AgentRow.last_seen_at)).where(
            col(AgentRow.meter_id).in_(list(meters))
        )
        return {meter: Head(sequence, heard_at) for meter, sequence, heard_at in self._session.exec(query)}

    def _agent(self, condition: bool) -> Agent | None:
        found = self._session.exec(_AGENTS.where(condition)).first()
        return _agent(*found) if found else None

    def grant_access(
        self, meter: Meter, party: UUID, during: Period | tuple[datetime, None], *, reason: str, now: datetime
    ) -> None:
        """Let `party` see what the meter measures in `during` (open: until further notice). Needs the worker's role.

        `reason` names what gives the access (a lease's id); the same reason again replaces the time.
        """
        start, end = (during.start, during.end) if isinstance(during, Period) else during
        statement = insert(MeterAccessRow).values(
            id=access_id(meter.id, party, reason),
            meter_id=meter.id,
            owner_id=meter.owner_id,
            party_id=party,
            during=Range(start, end),
            recorded_at=now,
        )
        changed = {"during": statement.excluded.during, "recorded_at": now}
        self._session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changed))


_AGENTS = (
    select(AgentRow, MeterRow.serial, MachineRow.model)
    .join(MeterRow, col(MeterRow.id) == col(AgentRow.meter_id))
    .join(MachineRow, col(MachineRow.id) == col(MeterRow.machine_id))
)


def _machine(row: MachineRow) -> Machine:
    return Machine(id=row.id, owner_id=row.owner_id, name=row.name, model=row.model, zone=row.zone)


def _meter(row: MeterRow) -> Meter:
    return Meter(
        id=row.id,
        machine_id=row.machine_id,
        owner_id=row.owner_id,
        serial=row.serial,
        register_codes=tuple(row.register_codes),
        spindles=tuple(row.spindles),
    )


def _agent(row: AgentRow, serial: str, model: str) -> Agent:
    return Agent(
        id=row.id,
        meter_id=row.meter_id,
        owner_id=row.owner_id,
        meter_serial=serial,
        machine_model=model,
        name=row.name,
        version=row.version,
        public_key_pem=row.public_key_pem,
        fingerprint=row.fingerprint,
        enrolled_at=row.enrolled_at,
        key_first=row.key_first,
        revoked_at=row.revoked_at,
        revoked_why=row.revoked_why,
    )


def _agent_of(
    agent_id: UUID,
    meter_id: UUID,
    owner_id: UUID,
    serial: str,
    model: str,
    name: str,
    version: str,
    enrolled_at: datetime,
    *trust: Any,
) -> Agent:
    """From a row of AGENT_OF_TOKEN."""
    agent = Agent(
        id=agent_id,
        meter_id=meter_id,
        owner_id=owner_id,
        meter_serial=serial,
        machine_model=model,
        name=name,
        version=version,
        public_key_pem="",
        fingerprint="",
        enrolled_at=enrolled_at,
    )
    return with_trust(agent, trust)
