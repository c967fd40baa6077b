"""Agents of the benchmark: what they measure, as a formula, and the sealed records that they make of it."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import httpx

from app.database import Database, Role
from metering import ocmf
from metering.enrol import Enrolled, invite, redeem
from metering.machine import Machine, machine_id
from metering.ocmf import PrivateKey
from metering.parties.party import Organisation, organisation_id
from metering.parties.store import PartyStore
from metering.reading import GENESIS, Clocks, Reading, Reason, Record, Status, TimeQuality
from metering.spectrum import cell_key
from metering.store import MeteringStore

OWNER = organisation_id("bench")
START = datetime(2026, 1, 1, tzinfo=UTC)
CADENCE = timedelta(seconds=10)
_TIMES = ("power_on", "auto_run", "program_run", "cutting", "spindle_on", "spindle_on.S1", "unknown")
CODES = (*_TIMES, "revolutions.S1", "starts.S1", "travel.X", "travel.Y", "travel.Z")
SPINDLES = ("S1",)
SHAPE = f"{len(CODES)} registers, one spectrum cell, one reading in {CADENCE.seconds} s"


@dataclass(slots=True)
class Box:
    """An enrolled agent that seals as it goes."""

    enrolled: Enrolled
    key: PrivateKey
    pagination: int = 0
    sequence: int = 0
    previous: str = GENESIS

    def requests(self, count: int, *, records: int, readings: int) -> list[bytes]:
        """Bodies of so many requests, each with `records` records of `readings` readings."""
        return ["\n".join(self._seal(readings) for _ in range(records)).encode() for _ in range(count)]

    def _seal(self, count: int) -> str:
        readings = tuple(reading(self.sequence + index + 1) for index in range(count))
        self.pagination += 1
        self.sequence += count
        record = Record(
            agent=str(self.enrolled.agent_id),
            meter=self.enrolled.meter_serial,
            machine_model=self.enrolled.machine_model,
            pagination=self.pagination,
            previous=self.previous,
            replayed=True,
            readings=readings,
            clocks=Clocks(readings[-1].device_time, 1000 * self.sequence, "bench"),
        )
        sealed = ocmf.seal(record, self.key)
        self.previous = sealed.digest
        return sealed.text

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.enrolled.token}", "Content-Type": "text/plain"}


def reading(sequence: int) -> Reading:
    """Reading number `sequence` of any of the benchmark's meters."""
    one = Reading(
        sequence=sequence,
        device_time=START + CADENCE * sequence,
        time_quality=TimeQuality.SYNCHRONISED,
        reason=Reason.DURING,
        status=Status.GOOD,
        registers={code: (1_000 + index) * sequence for index, code in enumerate(CODES)},
        spectrum={("S1", cell_key(6_000_000 + sequence % 7 * 250_000, 400)): 10_000 * sequence},
    )
    return replace(one, reason=Reason.BEGIN) if sequence == 1 else one


def enrol(database: Database, count: int, *, series: str = "BENCH") -> list[Box]:
    """So many machines of one owner, each with an enrolled agent; their meters are SERIES-1, SERIES-2, ..."""
    now = datetime.now(UTC)
    boxes = []
    for number in range(1, count + 1):
        name = f"{series} {number}"
        machine = Machine(id=machine_id(OWNER, name), owner_id=OWNER, name=name, model="bench", zone="UTC")
        key = ocmf.new_key()
        with database.transaction(Role.WORKER) as session:
            PartyStore(session).add_organisation(Organisation(id=OWNER, name="bench"), now=now)
            store = MeteringStore(session)
            code = invite(machine, f"{series}-{number}", store=store, now=now).code
            pem = ocmf.public_to_pem(key.public_key())
            boxes.append(Box(redeem(code, pem, name=name, version="bench", store=store, now=now), key))
    return boxes


def send(client: httpx.Client, box: Box, requests: list[bytes], *, records: int) -> None:
    """Send one after another; RuntimeError unless every record of each is stored."""
    for request in requests:
        answer = client.post("/api/readings", content=request, headers=box.headers())
        if answer.status_code != httpx.codes.OK or answer.json().get("stored") != records:
            raise RuntimeError(f"a batch was not stored: {answer.status_code} {answer.text[:500]}")


def check_all_stored(database: Database, boxes: list[Box]) -> None:
    """A figure counts only if every reading is there."""
    with database.transaction(Role.WORKER) as session:
        store = MeteringStore(session)
        for box in boxes:
            latest = store.latest(store.meter_by_serial(box.enrolled.meter_serial).id)
            if latest is None or latest.reading.sequence != box.sequence:
                raise RuntimeError(f"{box.enrolled.meter_serial}: not every reading was stored")
