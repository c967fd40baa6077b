"""A meter's sessions of a month: opening and closing registers, sealed by the agent or cut by the service."""

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from litestar import Request, get
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery
from litestar.response import Template

from app.clock import now
from app.database import Database, Role
from app.leases import time_at
from app.pages import shell
from app.pages.completeness_view import month_choice
from app.pages.sessions_view import SessionsPage, schedule_line, session_row
from app.security import SignedIn, Viewer, only
from billing.invoicing.billing_period import UnreadablePeriod, billing_period
from metering.machine import Machine, Meter
from metering.parties.store import PartyStore
from metering.period import Period
from metering.store import MeteringStore


@get("/meters/{meter_id:uuid}/sessions", sync_to_thread=True)
def sessions(
    request: Request[Any, Any, State], viewer: SignedIn, meter_id: FromPath[UUID], month: FromQuery[str] = ""
) -> Template:
    """All sessions for the machine's owner; for a lessee its own."""
    only(viewer, "maker", "sme", "finance")
    database: Database = request.app.state.database
    with database.transaction(Role.APP, party=viewer.organisation_id) as session:
        metering = MeteringStore(session)
        meter = metering.meter(meter_id)
        machine = metering.machine(meter.machine_id)
    return shell.page(request, "sessions.html", _page(database, viewer, meter, machine, month), viewer=viewer, here="")


def _page(database: Database, viewer: Viewer, meter: Meter, machine: Machine, month: str) -> SessionsPage:
    is_owner = meter.owner_id == viewer.organisation_id
    # As worker: a session's closing reading lies at the end of its party's time, where its access ends.
    with database.transaction(Role.WORKER) as session:
        metering, parties = MeteringStore(session), PartyStore(session)
        chosen = month or f"{time_at(metering.latest(meter.id), now()).astimezone(ZoneInfo(machine.zone)):%Y-%m}"
        found = [
            each
            for each in metering.sessions(meter.id, _month(chosen, machine.zone))
            if is_owner or each.session.party_id == viewer.organisation_id
        ]
        names = {party: parties.organisation(party).name for party in {each.session.party_id for each in found}}
        standing = metering.schedule_standing(meter.id) if is_owner else None
    rows = tuple(session_row(each, names[each.session.party_id], machine.zone) for each in found)
    schedule = schedule_line(standing, machine.zone) if is_owner else ""
    return SessionsPage(meter.id, machine.name, meter.serial, machine.zone, month_choice(chosen), schedule, rows)


def _month(value: str, zone: str) -> Period:
    if len(value) != len("2026-05") or not "1971" < value < "9000":
        raise UnreadablePeriod(f"{value!r}: write a month such as 2026-05")
    return billing_period(value, zone)


route_handlers = [sessions]
