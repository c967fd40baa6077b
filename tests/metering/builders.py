"""Machines, agents and chains of sealed records for metering's tests."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from app.database import Database, Role
from metering import ocmf
from metering.enrol import Enrolled, invite, redeem
from metering.ingest import Receipt, ingest
from metering.machine import Agent, Machine, machine_id
from metering.ocmf import PrivateKey, Sealed
from metering.parties.party import Organisation, organisation_id
from metering.parties.store import PartyStore
from metering.reading import GENESIS, Clocks, Reading, Reason, Record, Status, TimeQuality
from metering.store import MeteringStore

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
MAKER, OTHER_MAKER, LESSEE = organisation_id("maker"), organisation_id("other"), organisation_id("lessee")


@dataclass(frozen=True)
class Box:
    """An enrolled agent with its key, as a test sees it."""

    key: PrivateKey
    enrolled: Enrolled
    agent: Agent

    def send(self, database: Database, texts: Sequence[str], *, now: datetime = NOW) -> Receipt:
        with database.transaction(Role.WORKER) as session:
            return ingest(texts, agent=self.agent, store=MeteringStore(session), now=now)


def add_parties(database: Database) -> None:
    with database.transaction(Role.WORKER) as session:
        for key in ("maker", "other", "lessee"):
            organisation = Organisation(id=organisation_id(key), name=key, country="DE", zone="Europe/Berlin")
            PartyStore(session).add_organisation(organisation, now=NOW)


def machine(owner: str = "maker", name: str = "Mill 1") -> Machine:
    owner_id = organisation_id(owner)
    return Machine(id=machine_id(owner_id, name), owner_id=owner_id, name=name, model="MT-1", zone="Europe/Berlin")


def enrolled_box(database: Database, *, serial: str = "SM-1", owner: str = "maker") -> Box:
    """A registered machine with an enrolled agent."""
    key = ocmf.new_key()
    with database.transaction(Role.WORKER) as session:
        store = MeteringStore(session)
        invitation = invite(machine(owner, f"Mill {serial}"), serial, store=store, now=NOW)
        pem = ocmf.public_to_pem(key.public_key())
        enrolled = redeem(invitation.code, pem, name="box", version="1", store=store, now=NOW)
        agent = store.agent_of(invitation.meter.id)
    assert agent is not None
    return Box(key, enrolled, agent)


def reading(sequence: int, *, minutes: float = 15) -> Reading:
    """Reading number `sequence`, `minutes` apart; its registers and one spectrum cell grow with it."""
    return Reading(
        sequence=sequence,
        device_time=START + timedelta(minutes=minutes * (sequence - 1)),
        time_quality=TimeQuality.SYNCHRONISED,
        reason=Reason.BEGIN if sequence == 1 else Reason.DURING,
        status=Status.GOOD,
        registers={"cutting": 1000 * sequence, "spindle_on.S1": 2000 * sequence, "travel.X": 7 * sequence},
        spectrum={("S1", 6154 + sequence % 3): 500 * sequence},
    )


def chain_of(
    box: Box,
    readings: Iterable[Reading],
    *,
    per_record: int = 1,
    replayed: bool = False,
    after: Sealed | None = None,
    change: Callable[[Record], Record] = lambda record: record,
) -> list[Sealed]:
    """Sealed records of `per_record` readings each, linked, following `after`."""
    drawn = list(readings)
    sealed: list[Sealed] = [after] if after else []
    for start in range(0, len(drawn), per_record):
        last = sealed[-1] if sealed else None
        record = Record(
            agent=str(box.agent.id),
            meter=box.agent.meter_serial,
            machine_model=box.agent.machine_model,
            pagination=last.record.pagination + 1 if last else 1,
            previous=last.digest if last else GENESIS,
            replayed=replayed,
            readings=tuple(drawn[start : start + per_record]),
            clocks=Clocks(drawn[start].device_time, 1000 * start, "boot"),
        )
        sealed.append(ocmf.seal(change(record), box.key))
    return sealed[1:] if after else sealed


def texts(sealed: Iterable[Sealed]) -> list[str]:
    return [one.text for one in sealed]


def with_registers(one: Reading, **registers: int) -> Reading:
    return replace(one, registers={**one.registers, **registers})
