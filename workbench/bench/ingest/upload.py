"""Readings per second over HTTP, verified and stored: against COPY of the same rows, and against verifying alone."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import uuid4

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from app.database import Database, Role
from metering import ocmf
from metering.batch.taken import of_records
from metering.chain import Chain
from metering.columns import copy_readings, copy_rows
from metering.enrol import Enrolled
from metering.layout import Layout
from workbench.bench.ingest.box import CODES, OWNER, SHAPE, SPINDLES, Box, send
from workbench.bench.row import Row, compare
from workbench.bench.service import Service

GOAL = 0.3
_VERIFY = ec.ECDSA(hashes.SHA256())


@dataclass(frozen=True, slots=True)
class Load:
    """What the agents send at once in one run: `requests` each, of so many records of so many readings."""

    requests: int
    records: int
    readings: int

    def all_readings(self, agents: int) -> int:
        return agents * self.requests * self.records * self.readings


CATCHING_UP = Load(requests=8, records=5, readings=100)
ONLINE = Load(requests=4, records=100, readings=1)
"""An online agent seals each reading by itself; as many a request as the agent's default `service.batch`."""


def upload(client: httpx.Client, boxes: list[Box], load: Load, bodies: list[list[bytes]]) -> float:
    """Readings stored per second, all agents at once, each its requests in order."""
    began = time.perf_counter()
    with ThreadPoolExecutor(len(boxes)) as pool:
        list(pool.map(lambda one: send(client, one[0], one[1], records=load.records), zip(boxes, bodies, strict=True)))
    return load.all_readings(len(boxes)) / (time.perf_counter() - began)


def bodies_of(boxes: list[Box], load: Load) -> list[list[bytes]]:
    """What each box sends in one run."""
    return [box.requests(load.requests, records=load.records, readings=load.readings) for box in boxes]


def against_copy(service: Service, client: httpx.Client, boxes: list[Box], runs: int, load: Load) -> Row:
    """The row of agents that catch up."""
    bodies = [bodies_of(boxes, load) for _ in range(runs)]
    rows = [rows_of(load, len(boxes)) for _ in range(runs)]
    return compare(
        "ingest",
        ours=lambda number: upload(client, boxes, load, bodies[number]),
        limit=lambda number: copy(service.database, rows[number], load),
        unit="readings/s",
        goal=GOAL,
        runs=runs,
        how=f"ours: {len(boxes)} agents at once send {load.records} records of {load.readings} readings ({SHAPE}) a "
        "request to one service process, which checks signatures, chain and registers, stores records and readings and "
        "brings usage up to date; limit: COPY of the same rows, ready in PostgreSQL's binary form, into the same "
        "table, as many a commit",
    )


def against_verifying(_: Service, client: httpx.Client, boxes: list[Box], runs: int, load: Load) -> Row:
    """The row of online agents."""
    bodies = [bodies_of(boxes, load) for _ in range(runs)]
    return compare(
        "ingest, online",
        ours=lambda number: upload(client, boxes, load, bodies[number]),
        limit=lambda number: verify(boxes, bodies[number]),
        unit="readings/s",
        goal=GOAL,
        runs=runs,
        how=f"ours: {len(boxes)} agents at once send {load.records} records of one reading ({SHAPE}) a request, stored "
        "as above; limit: the signatures of the same records verified by the cryptography package in a loop on one "
        "core, and nothing else",
    )


def rows_of(load: Load, agents: int) -> list[list[bytes]]:
    """The rows that a run's requests become, by request, of a meter of their own."""
    meter, enrolled = uuid4(), Enrolled(uuid4(), "BENCH-0", "bench", "")
    box, chain = Box(enrolled, ocmf.new_key()), Chain(str(enrolled.agent_id), enrolled.meter_serial)
    rows = []
    for body in box.requests(agents * load.requests, records=load.records, readings=load.readings):
        accepted = []
        for text in body.decode().split("\n"):
            sealed = ocmf.parse(text)
            grown = chain.append(sealed)
            assert isinstance(grown, list)
            accepted.append((sealed, grown))
        taken = of_records(accepted, chain=chain, layout=Layout(CODES, SPINDLES))
        rows.append(copy_rows(taken, meter_id=meter, owner_id=OWNER))
    return rows


def copy(database: Database, requests: list[list[bytes]], load: Load) -> float:
    """Rows per second by COPY, as many rows a commit as there are readings in a request."""
    began = time.perf_counter()
    for rows in requests:
        with database.transaction(Role.WORKER) as session:
            copy_readings(session.connection().connection.driver_connection, rows)
    return len(requests) * load.records * load.readings / (time.perf_counter() - began)


def verify(boxes: list[Box], bodies: list[list[bytes]]) -> float:
    """Signatures per second."""
    signed = [
        (box.key.public_key(), signature, payload.encode("ascii"))
        for box, requests in zip(boxes, bodies, strict=True)
        for body in requests
        for payload, signature in map(ocmf.sections, body.decode().split("\n"))
    ]
    began = time.perf_counter()
    for key, signature, payload in signed:
        key.verify(signature, payload, _VERIFY)
    return len(signed) / (time.perf_counter() - began)
