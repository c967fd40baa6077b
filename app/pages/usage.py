"""A meter's usage for a period, with gaps, substitutes, late readings and corrections; as known today or on a day."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from litestar import Request, get
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery
from litestar.response import Template

from app.clock import now
from app.database import Database, Role, Session
from app.pages import shell
from app.pages.usage_view import UsagePage, usage_page
from app.security import SignedIn, Viewer, only
from app.usage import of_meter
from app.wear import end_of
from billing.invoicing.billing_period import UnreadablePeriod, billing_period
from metering.period import Period
from metering.store import MeteringStore, UnknownMeter

_DAYS_AT_FIRST = 7
_MOST_DAYS = 400


@get("/meters/{meter_id:uuid}/usage", sync_to_thread=True)
def usage(
    request: Request[Any, Any, State],
    viewer: SignedIn,
    meter_id: FromPath[UUID],
    start: FromQuery[str] = "",
    end: FromQuery[str] = "",
    month: FromQuery[str] = "",
    known_on: FromQuery[str] = "",
) -> Template:
    """By quarter hour up to three days, by day beyond. `start` and `end` are days, the second not included.

    `known_on` is a day (as known at its end) or a moment; then what was known is shown beside what is known today.
    """
    only(viewer, "maker", "finance")
    database: Database = request.app.state.database
    with database.transaction(Role.APP, party=viewer.organisation_id, as_of_one_moment=True) as session:
        view = _page(session, viewer, meter_id, start=start, end=end, month=month, known_on=known_on)
    return shell.page(request, "usage.html", view, viewer=viewer, here="/completeness")


def _page(
    session: Session, viewer: Viewer, meter_id: UUID, *, start: str, end: str, month: str, known_on: str
) -> UsagePage:
    metering = MeteringStore(session)
    meter = metering.meter(meter_id)
    if meter.owner_id != viewer.organisation_id:
        raise UnknownMeter(f"no meter {meter_id} of yours")
    zone = metering.machine(meter.machine_id).zone
    period = _period(session, meter_id, zone, start=start, end=end, month=month)
    if period.length > timedelta(days=_MOST_DAYS):
        raise UnreadablePeriod(f"more than {_MOST_DAYS} days at once: choose a shorter time")
    known_at = end_of(known_on, zone) if known_on else None
    found = of_meter(session, meter_id, period, known_at=known_at)
    first, last = (f"{each.astimezone(ZoneInfo(zone)):%Y-%m-%d}" for each in (period.start, period.end))
    return usage_page(found, start=first, end=last, known_on=known_on)


def _period(session: Session, meter_id: UUID, zone: str, *, start: str, end: str, month: str) -> Period:
    if month:
        return billing_period(month, zone)
    if start or end:
        return billing_period(f"{start}/{end}", zone)
    latest = MeteringStore(session).latest(meter_id)
    newest = (latest.reading.device_time if latest else now()).astimezone(ZoneInfo(zone))
    following = (newest + timedelta(days=1)).date()
    return Period(*(_midnight(following, days, zone) for days in (_DAYS_AT_FIRST, 0)))


def _midnight(day: Any, days_before: int, zone: str) -> datetime:
    return datetime.combine(day - timedelta(days=days_before), datetime.min.time(), ZoneInfo(zone))


route_handlers = [usage]
