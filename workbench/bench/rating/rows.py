"""`spindleshare bench rating`: leases priced a second, from the database and streamed from a generator."""

import json
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

from app.cli.json_file import packaged
from app.database import Database, Role
from billing.pricing.measured_from_usage import measured_from_usage
from billing.pricing.rated import RatedBill
from billing.pricing.rating import rate
from billing.pricing.tariff import TariffVersion
from metering.enrol import invite
from metering.machine import Machine, machine_id
from metering.parties.party import Organisation, organisation_id
from metering.parties.store import PartyStore
from metering.quick import USAGE_NOW, WIDEN_LAYOUT, add_usage, run
from metering.store import MeteringStore
from metering.usage import Usage
from workbench.bench.rating.generated import LAYOUT, MONTH, ZONE, length, month
from workbench.bench.row import Better, Row, compare
from workbench.bench.service import Service, running_service, tidy

LEASES = 100
GOAL = 3.0
FLAT = 1.2
OWNER = organisation_id("bench lessor")
TARIFF = TariffVersion.from_json(json.loads(packaged("billing.pricing", "examples", "tariff")))
_FEW = 5
_MANY_TIMES = 10


def rate_leases(runs: int, leases: int = LEASES) -> Iterator[Row]:
    """The rows, each as soon as it is measured; `leases` are priced from the database, each a month."""
    with running_service() as service:
        meters = _store(service, leases)
        yield _from_database(service.database, meters, runs)
    yield from _streamed(runs)


def _from_database(database: Database, meters: Sequence[UUID], runs: int) -> Row:
    return compare(
        f"{len(meters):,} leases from the database",
        ours=lambda _: _seconds(lambda: _priced(database, meters)) / len(meters) * 1000,
        limit=lambda _: _seconds(lambda: _read(database, meters)) / len(meters) * 1000,
        unit="ms a lease",
        goal=GOAL,
        better=Better.LOWER,
        runs=runs,
        how=f"a month of {length():,} quarter hours of {len(LAYOUT.codes)} registers and a load spectrum, read and "
        "rated by the documentation's tariff (bands, tiers, wear); limit: the same rows merely read by the driver",
    )


def _streamed(runs: int) -> Iterator[Row]:
    """What a lease costs when many follow one another, against a few; in time and in memory."""
    few, many = _FEW, _FEW * _MANY_TIMES
    how = f"leases made by a seeded generator and rated one after the other: {many} against {few}"
    yield compare(
        "time a lease, streamed",
        ours=lambda seed: _seconds(lambda: _stream(seed, many)) / many * 1000,
        limit=lambda seed: _seconds(lambda: _stream(seed, few)) / few * 1000,
        unit="ms a lease",
        goal=FLAT,
        better=Better.LOWER,
        runs=runs,
        how=how,
    )
    yield compare(
        "memory, streamed",
        ours=lambda seed: _peak_mib(lambda: _stream(seed, many)),
        limit=lambda seed: _peak_mib(lambda: _stream(seed, few)),
        unit="MiB at its highest",
        goal=FLAT,
        better=Better.LOWER,
        runs=2,
        how=how + "; what Python's own objects take",
    )


def _stream(seed: int, leases: int) -> None:
    for number in range(leases):
        bill_of(month(seed * leases + number, "M"))


def bill_of(usage: Iterator[Usage] | Sequence[Usage]) -> RatedBill:
    """The month's bill of a lease that ran all of it."""
    return rate(TARIFF, measured_from_usage(usage, period=MONTH, covered=MONTH, zone=ZONE))


def _priced(database: Database, meters: Sequence[UUID]) -> None:
    for meter in meters:
        with database.transaction(Role.WORKER) as session:
            bill_of(MeteringStore(session).usage(meter, MONTH))


def _read(database: Database, meters: Sequence[UUID]) -> None:
    for meter in meters:
        with database.transaction(Role.WORKER) as session:
            run(session, USAGE_NOW, [meter, MONTH.start, MONTH.end])


def _store(service: Service, leases: int) -> list[UUID]:
    """Machines with a month of usage each."""
    now, meters = datetime.now(UTC), []
    with service.database.transaction(Role.WORKER) as session:
        PartyStore(session).add_organisation(Organisation(id=OWNER, name="bench lessor"), now=now)
    for number in range(leases):
        name = f"Mill {number}"
        machine = Machine(id=machine_id(OWNER, name), owner_id=OWNER, name=name, model="bench", zone=ZONE)
        with service.database.transaction(Role.WORKER) as session:
            meter = invite(machine, f"RATE-{number}", store=MeteringStore(session), now=now).meter
            run(session, WIDEN_LAYOUT, [list(LAYOUT.codes), list(LAYOUT.spindles), meter.id])
            add_usage(session, [_row(meter.id, usage, now) for usage in month(number, meter.serial)])
        meters.append(meter.id)
    tidy(service)
    return meters


def _row(meter: UUID, usage: Usage, now: datetime) -> list[object]:
    cells, ms = LAYOUT.cells(usage.spectrum)
    period, deltas = usage.period, list(LAYOUT.values(usage.deltas))
    head = [meter, OWNER, now, period.start, 1, False]
    return [*head, period.start, period.end, deltas, cells, ms, False, False, False, *usage.evidence]


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _peak_mib(work: Callable[[], None]) -> float:
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1024**2
