"""A meter's raw telemetry for the command line: what is there, and the roll-up beside what is billed by."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from app import installation
from app.database import Database, Role
from app.settings import Settings
from metering.period import Period
from metering.store import MeteringStore
from metering.telemetry.cluster import share_out
from metering.telemetry.compare import Comparison, compare
from metering.telemetry.embedded import Embedded
from metering.telemetry.rollup import MAX_ROWS_SHARED, Key, plan, roll_up
from metering.telemetry.shelf import Shelf
from metering.telemetry.store import Completeness, TelemetryStore
from metering.telemetry.stretch import Stored
from metering.usage import Usage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NoEngine(ValueError):
    """There is no such engine: choose embedded, or sc://host:port of Spark Connect servers, separated by commas."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A meter with what the manifest says of it in a period."""

    meter_id: UUID
    serial: str
    machine_id: UUID
    segments: Sequence[Stored]
    usage: Sequence[Usage]
    completeness: Completeness


@dataclass(frozen=True, slots=True)
class RolledUp:
    grown: dict[Key, int]
    comparison: Comparison


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """The installation's database, for one command."""
    with installation.database_urls(settings) as urls:
        database = Database(urls.run, pool=1)
        try:
            yield database
        finally:
            database.close()


def kept(database: Database, period: Period, *, serial: str | None = None) -> list[Kept]:
    """Every meter's telemetry in `period`, or that of the one with this serial number."""
    with database.transaction(Role.WORKER) as session:
        machines, store = MeteringStore(session), TelemetryStore(session)
        return [
            Kept(
                meter.id,
                meter.serial,
                meter.machine_id,
                store.segments(meter.id, since=period.start, until=period.end),
                machines.usage(meter.id, period),
                store.completeness(meter.id),
            )
            for meter in ([machines.meter_by_serial(serial)] if serial else machines.meters())
        ]


def rolled_up(one: Kept, period: Period, *, shelf: Shelf, engine: str) -> RolledUp:
    """The period's quarter hours from raw telemetry, and where the stored usage differs. NoEngine, ClusterLost."""
    from_ms, until_ms = ((moment - _EPOCH) // timedelta(milliseconds=1) for moment in (period.start, period.end))
    if engine == "embedded":
        grown = roll_up(plan(shelf, one.machine_id, one.segments, from_ms, until_ms), Embedded())
    else:
        urls = [url.strip() for url in engine.split(",")]
        if not all(url.startswith("sc://") for url in urls):
            raise NoEngine(f"there is no engine {engine!r}: choose embedded or sc://host:port[,sc://host:port]")
        # Imported here: one machine does without the cluster's client.
        from metering.telemetry.spark import Spark

        work = list(plan(shelf, one.machine_id, one.segments, from_ms, until_ms, by_day=True, max_rows=MAX_ROWS_SHARED))
        grown = share_out(work, [(url, partial(Spark, url)) for url in urls]).grown
    return RolledUp(grown, compare(grown, one.usage, one.segments))
