"""A month's usage by local day, of one lease and of a fleet: against one GROUP BY over the stored readings."""

# ruff: noqa: S608 (only positions of registers are put together here)

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from app.database import Database, Role, Session
from metering.batch.block import Block, Head, ms_of
from metering.batch.taken import Growth, Taken
from metering.columns import copy_readings, copy_rows
from metering.enrol import invite
from metering.layout import Layout
from metering.machine import Machine, Meter, machine_id
from metering.parties.party import Organisation, organisation_id
from metering.parties.store import PartyStore
from metering.period import QUARTER_HOUR, Period
from metering.quick import WIDEN_LAYOUT, add_usage, run
from metering.store import MeteringStore
from metering.store_daily import DailyUsageStore
from workbench.bench.ingest.box import CODES, OWNER
from workbench.bench.row import Better, Row, compare
from workbench.bench.service import Service, tidy

GOAL = 0.1
FLEET = 8
ZONE = "Europe/Berlin"
LESSEE = organisation_id("bench lessee")
CADENCE = timedelta(seconds=30)
"""An agent's default: `metering.interim_seconds`."""
_LOCAL = ZoneInfo(ZONE)
MONTH = Period(datetime(2026, 3, 1, tzinfo=_LOCAL), datetime(2026, 4, 1, tzinfo=_LOCAL))
LEASED = Period(datetime(2026, 3, 4, 6, tzinfo=_LOCAL), datetime(2026, 5, 1, tzinfo=_LOCAL))
_NONE = np.zeros(0, dtype=np.int64)
Days = dict[UUID, dict[date, dict[str, int]]]


class NotTheSame(AssertionError):
    """Our month is not the readings' own: no figure of it counts."""


@dataclass(frozen=True, slots=True)
class Question:
    """Whose usage is asked for, as whom, and in which part of the month."""

    name: str
    spans: Mapping[UUID, Period]
    party: UUID


def rows(service: Service, runs: int, *, fleet: int = FLEET, month: Period = MONTH) -> list[Row]:
    """The rows of a lease, asked by its lessee, and of a fleet, asked by its owner."""
    database = service.database
    meters = [_machine(database, number, month) for number in range(1, fleet + 1)]
    with database.transaction(Role.WORKER) as session:
        MeteringStore(session).grant_access(meters[0], LESSEE, LEASED, reason="lease", now=datetime.now(UTC))
    tidy(service)
    leased = LEASED.intersection(month)
    assert leased is not None
    questions = (
        Question("month of a lease", {meters[0].id: leased}, LESSEE),
        Question(f"month of {fleet} machines", {meter.id: month for meter in meters}, OWNER),
    )
    return [_row(database, question, runs) for question in questions]


def _row(database: Database, question: Question, runs: int) -> Row:
    readings = _compared(database, question)
    return compare(
        question.name,
        ours=lambda _: _seconds(lambda: ours(database, question)),
        limit=lambda _: _seconds(lambda: by_readings(database, question)),
        unit="s",
        goal=GOAL,
        better=Better.LOWER,
        runs=runs,
        how=f"usage of {len(CODES)} registers by day in {ZONE}, from {readings:,} stored readings, one in "
        f"{CADENCE.seconds} s; ours: from usage by quarter hour, under row-level security; limit: one GROUP BY over "
        "the readings themselves, without; the results are the same",
    )


def ours(database: Database, question: Question) -> Days:
    """By the product, as the party that asks."""
    with database.transaction(Role.APP, party=question.party) as session:
        found = DailyUsageStore(session).days(question.spans, ZONE)
    return {meter: {day: dict(one.deltas) for day, one in days.items()} for meter, days in found.items()}


def by_readings(database: Database, question: Question) -> Days:
    """By the readings: a register only grows, so that a day's growth is its highest value less the day's before."""
    places = range(1, len(CODES) + 1)
    highest = ", ".join(f"max(registers[{place}]) AS r{place}" for place in places)
    grown = ", ".join(f"r{place} - lag(r{place}) OVER days" for place in places)
    spans = question.spans.values()
    statement = (
        # A reading at midnight ends the day before; the one at the very start is what the first day is less by.
        "WITH by_day AS (SELECT stored.meter_id, ((device_time - interval '1 ms') AT TIME ZONE %s)::date AS day, "
        f"device_time = starts AS is_first, {highest} "
        "FROM unnest(%b::uuid[], %b::timestamptz[], %b::timestamptz[]) AS span (meter_id, starts, ends) "
        "JOIN reading_stored AS stored ON stored.meter_id = span.meter_id AND device_time BETWEEN starts AND ends "
        f"GROUP BY stored.meter_id, is_first, day) SELECT meter_id, day, {grown} FROM by_day "
        "WINDOW days AS (PARTITION BY meter_id ORDER BY is_first DESC, day)"
    )
    values = [ZONE, list(question.spans), [span.start for span in spans], [span.end for span in spans]]
    found: Days = {}
    with database.transaction(Role.WORKER) as session:
        for meter, day, *figures in run(session, statement, values):
            if figures[0] is not None:
                found.setdefault(meter, {})[day] = dict(zip(CODES, figures, strict=True))
    return found


def _compared(database: Database, question: Question) -> int:
    """Readings of the question, once both sides say the same of them. NotTheSame where they do not."""
    mine, theirs = ours(database, question), by_readings(database, question)
    if mine != theirs or not any(mine.values()):
        raise NotTheSame(f"{question.name}: usage by day is not what the readings say")
    return sum(int(span.length / CADENCE) + 1 for span in question.spans.values())


def _seconds(ask: Callable[[], Days]) -> float:
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began


def _machine(database: Database, number: int, month: Period) -> Meter:
    """A machine with a month of readings that grow at random, and the usage that they make."""
    now, name = datetime.now(UTC), f"Lathe {number}"
    machine = Machine(id=machine_id(OWNER, name), owner_id=OWNER, name=name, model="bench", zone=ZONE)
    with database.transaction(Role.WORKER) as session:
        for party in ("bench", "bench lessee"):
            PartyStore(session).add_organisation(Organisation(id=organisation_id(party), name=party), now=now)
        meter = invite(machine, f"MONTH-{number}", store=MeteringStore(session), now=now).meter
        run(session, WIDEN_LAYOUT, [list(CODES), [], meter.id])
        _store(session, meter, _month(number, month), now)
    return meter


def _month(seed: int, month: Period) -> Block:
    """Readings from the month's start to its end, both included."""
    count = int(month.length / CADENCE) + 1
    steps = np.random.default_rng(seed).integers(0, 30_000, size=(count, len(CODES)))
    return Block(
        times=ms_of(month.start) + np.arange(count) * (CADENCE.seconds * 1000),
        qualities=b"S" * count,
        reasons=b"C" * count,
        statuses=b"G" * count,
        codes=CODES,
        values=np.cumsum(steps, axis=0),
    )


def _store(session: Session, meter: Meter, block: Block, now: datetime) -> None:
    head = Head("", "", "", meter.serial, 1, "", False, 1, len(block))
    taken = Taken((head,), 1, block, Growth(_NONE, _NONE, _NONE), Layout(CODES), ([], []))
    copy_readings(
        session.connection().connection.driver_connection, copy_rows(taken, meter_id=meter.id, owner_id=meter.owner_id)
    )
    size = QUARTER_HOUR // CADENCE
    grown = np.diff(block.values[::size], axis=0).tolist()
    start = datetime.fromtimestamp(int(block.times[0]) / 1000, UTC)
    usage = []
    for number, deltas in enumerate(grown):
        begins = start + number * QUARTER_HOUR
        figures = [begins, begins + QUARTER_HOUR, deltas, [], [], False, False, False]
        evidence = [number * size + 1, (number + 1) * size + 1]
        usage.append([meter.id, meter.owner_id, now, begins, 1, False, *figures, *evidence])
    add_usage(session, usage)
