"""Readings per second over HTTP, verified and stored, against COPY of the same rows into the same table."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx

from app.database import Database, Role
from metering import ocmf
from metering.batch.taken import of_records
from metering.chain import Chain
from metering.columns import copy_readings, copy_rows
from metering.enrol import Enrolled, invite, redeem
from metering.layout import Layout
from metering.machine import Machine, machine_id
from metering.ocmf import PrivateKey
from metering.parties.party import Organisation, organisation_id
from metering.parties.store import PartyStore
from metering.reading import GENESIS, Clocks, Reading, Reason, Record, Status, TimeQuality
from metering.spectrum import cell_key
from metering.store import MeteringStore
from workbench.bench.row import Row, compare
from workbench.bench.service import running_service

READINGS_PER_RECORD = 100
RECORDS_PER_REQUEST = 5
GOAL = 0.3
_PER_REQUEST = READINGS_PER_RECORD * RECORDS_PER_REQUEST
_AGENTS = 4
_REQUESTS_PER_RUN = 8
_START = datetime(2026, 1, 1, tzinfo=UTC)
_CADENCE = timedelta(seconds=10)
_TIMES = ("power_on", "auto_run", "program_run", "cutting", "spindle_on", "spindle_on.S1", "unknown")
_CODES = (*_TIMES, "revolutions.S1", "starts.S1", "travel.X", "travel.Y", "travel.Z")
_HOW = (
    f"ours: {_AGENTS} agents at once send {RECORDS_PER_REQUEST} records of {READINGS_PER_RECORD} readings "
    f"({len(_CODES)} registers, one spectrum cell, one reading in {_CADENCE.seconds} s) a request to one service "
    "process, which checks signatures, chain and registers, stores records and readings and brings usage up to date; "
    "limit: COPY of the same rows, ready in PostgreSQL's binary form, into the same table, as many a commit"
)


@dataclass(slots=True)
class _Box:
    """An enrolled agent that seals as it goes."""

    enrolled: Enrolled
    key: PrivateKey
    pagination: int = 0
    sequence: int = 0
    previous: str = GENESIS

    def requests(self, count: int) -> list[bytes]:
        return ["\n".join(self._seal() for _ in range(RECORDS_PER_REQUEST)).encode() for _ in range(count)]

    def _seal(self) -> str:
        readings = tuple(_reading(self.sequence + index + 1) for index in range(READINGS_PER_RECORD))
        self.pagination += 1
        self.sequence += READINGS_PER_RECORD
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


def run(runs: int) -> list[Row]:
    """The rows of `spindleshare bench ingest`."""
    with running_service() as service, httpx.Client(base_url=service.url, timeout=60) as client:
        boxes = _enrol(service.database, client)
        _send(client, boxes, [box.requests(1) for box in boxes])
        batches = [[box.requests(_REQUESTS_PER_RUN) for box in boxes] for _ in range(runs)]
        rows = [_rows(_AGENTS * _REQUESTS_PER_RUN) for _ in range(runs)]
        row = compare(
            "ingest",
            ours=lambda number: _send(client, boxes, batches[number]),
            limit=lambda number: _copy(service.database, rows[number]),
            unit="readings/s",
            goal=GOAL,
            runs=runs,
            how=_HOW,
        )
        _check_all_stored(service.database, boxes)
        return [row]


def _enrol(database: Database, client: httpx.Client) -> list[_Box]:
    owner = organisation_id("bench")
    now = datetime.now(UTC)
    boxes = []
    for number in range(_AGENTS):
        name = f"Mill {number + 1}"
        machine = Machine(id=machine_id(owner, name), owner_id=owner, name=name, model="bench", zone="UTC")
        key = ocmf.new_key()
        with database.transaction(Role.WORKER) as session:
            PartyStore(session).add_organisation(Organisation(id=owner, name="bench"), now=now)
            store = MeteringStore(session)
            code = invite(machine, f"BENCH-{number + 1}", store=store, now=now).code
            pem = ocmf.public_to_pem(key.public_key())
            boxes.append(_Box(redeem(code, pem, name=name, version="bench", store=store, now=now), key))
    return boxes


def _send(client: httpx.Client, boxes: list[_Box], batches: list[list[bytes]]) -> float:
    """Readings stored per second, all agents at once, each its batches in order."""

    def send_all(box: _Box, requests: list[bytes]) -> None:
        headers = {"Authorization": f"Bearer {box.enrolled.token}", "Content-Type": "text/plain"}
        for request in requests:
            answer = client.post("/api/readings", content=request, headers=headers)
            if answer.json().get("stored") != RECORDS_PER_REQUEST:
                raise RuntimeError(f"a batch was not stored: {answer.status_code} {answer.text[:500]}")

    began = time.perf_counter()
    with ThreadPoolExecutor(len(boxes)) as pool:
        list(pool.map(send_all, boxes, batches))
    sent = sum(map(len, batches)) * _PER_REQUEST
    return sent / (time.perf_counter() - began)


def _copy(database: Database, requests: list[list[bytes]]) -> float:
    """Rows per second by COPY, as many rows a commit as there are readings in a request."""
    began = time.perf_counter()
    for rows in requests:
        with database.transaction(Role.WORKER) as session:
            copy_readings(session.connection().connection.driver_connection, rows)
    return len(requests) * _PER_REQUEST / (time.perf_counter() - began)


def _rows(requests: int) -> list[list[bytes]]:
    """The rows that so many requests become, of a meter of their own."""
    meter, agent = uuid4(), Enrolled(uuid4(), "BENCH-0", "bench", "")
    box, chain = _Box(agent, ocmf.new_key()), Chain(str(agent.agent_id), agent.meter_serial)
    rows = []
    for request in box.requests(requests):
        accepted = []
        for text in request.decode().split("\n"):
            sealed = ocmf.parse(text)
            grown = chain.append(sealed)
            assert isinstance(grown, list)
            accepted.append((sealed, grown))
        taken = of_records(accepted, chain=chain, layout=Layout(_CODES, ("S1",)))
        rows.append(copy_rows(taken, meter_id=meter, owner_id=organisation_id("bench")))
    return rows


def _reading(sequence: int) -> Reading:
    reading = Reading(
        sequence=sequence,
        device_time=_START + _CADENCE * sequence,
        time_quality=TimeQuality.SYNCHRONISED,
        reason=Reason.DURING,
        status=Status.GOOD,
        registers={code: (1_000 + index) * sequence for index, code in enumerate(_CODES)},
        spectrum={("S1", cell_key(6_000_000 + sequence % 7 * 250_000, 400)): 10_000 * sequence},
    )
    return replace(reading, reason=Reason.BEGIN) if sequence == 1 else reading


def _check_all_stored(database: Database, boxes: list[_Box]) -> None:
    """A figure counts only if every reading is there."""
    with database.transaction(Role.WORKER) as session:
        store = MeteringStore(session)
        for box in boxes:
            latest = store.latest(store.meter_by_serial(box.enrolled.meter_serial).id)
            if latest is None or latest.reading.sequence != box.sequence:
                raise RuntimeError(f"{box.enrolled.meter_serial}: not every reading was stored")
