"""Jobs: idempotent verbs that a scheduler in memory calls. The truth of what is due lies in the database.

Any number of service processes may run the same jobs: due rows are claimed one worker at a time, and a worker that
dies gives its row back with its transaction.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler

from app.closing import close_in
from app.database import Database, Role
from app.paying import repair_events
from app.refusals import tend_refusals
from app.settings import Settings
from billing.invoicing.billing_period import month_before
from billing.invoicing.close_period import Closing
from billing.invoicing.due_store import DueStore
from billing.payments.stripe_gateway import StripeGateway
from metering.telemetry.shelf import Shelf
from metering.telemetry.store import TelemetryStore
from metering.telemetry.tend import Tended, tend

GRACE = timedelta(hours=2)
"""How long after its end a period is closed: agents send what they spooled meanwhile. What comes later is adjusted."""
_EVERY_MINUTES = 10
_FIRST_AFTER = timedelta(minutes=1)
_log = logging.getLogger(__name__)


def close_due_periods(database: Database, *, zone: str, now: datetime) -> list[Closing]:
    """Plan the month before `now` and close every period that is due and that no other worker has in hand."""
    last = month_before(now, zone)
    with database.transaction(Role.WORKER) as session:
        DueStore(session).plan(last, due_at=last.end + GRACE)
    closings = []
    while closing := _close_next(database, now):
        closings.append(closing)
    return closings


def _close_next(database: Database, now: datetime) -> Closing | None:
    with database.transaction(Role.WORKER) as session:
        due = DueStore(session)
        period = due.claim(now=now)
        if period is None:
            return None
        closing = close_in(session, period, now=now)
        due.mark_closed(period, now=now)
    _log.info("closed %s: %d changed, %d parked", period.start.date(), len(closing.changed), len(closing.parked))
    return closing


def tend_telemetry(database: Database, settings: Settings, *, now: datetime) -> Tended:
    """Join telemetry's small files and delete what is too old."""
    keep = timedelta(days=settings.telemetry_keep_days)
    with database.transaction(Role.WORKER) as session:
        return tend(Shelf(settings.telemetry_folder), store=TelemetryStore(session), keep=keep, now=now)


@contextlib.contextmanager
def running(
    database: Database, settings: Settings, *, clock: Callable[[], datetime], gateway: StripeGateway | None = None
) -> Iterator[None]:
    """The jobs run in the background of this process until the end of the block."""
    jobs = scheduler(database, settings, clock=clock, gateway=gateway)
    jobs.start()
    try:
        yield
    finally:
        jobs.shutdown()


def scheduler(
    database: Database, settings: Settings, *, clock: Callable[[], datetime], gateway: StripeGateway | None = None
) -> BackgroundScheduler:
    """A scheduler with every job, not yet started. A job that runs late or twice does no harm."""
    jobs = BackgroundScheduler(timezone="UTC")
    zone = settings.zone
    _every_few_minutes(jobs, "close_due_periods", lambda: close_due_periods(database, zone=zone, now=clock()), clock)
    _every_few_minutes(jobs, "tend_refusals", lambda: tend_refusals(database, now=clock()), clock)
    _every_few_minutes(jobs, "tend_telemetry", lambda: tend_telemetry(database, settings, now=clock()), clock)
    if gateway:
        _every_few_minutes(jobs, "repair_events", lambda: repair_events(database, gateway, now=clock()), clock)
    return jobs


def _every_few_minutes(
    jobs: BackgroundScheduler, name: str, verb: Callable[[], object], clock: Callable[[], datetime]
) -> None:
    jobs.add_job(
        verb,
        "interval",
        minutes=_EVERY_MINUTES,
        next_run_time=clock() + _FIRST_AFTER,
        id=name,
        coalesce=True,
        max_instances=1,
    )
