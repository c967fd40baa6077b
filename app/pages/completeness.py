"""Completeness: for each machine and month, whether every unit of its registers is explained, and what is not."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Redirect, Template

from app.clock import now
from app.completeness import of_machine
from app.database import Database, Role, Session
from app.pages import shell
from app.pages.completeness_rows import FleetMonth
from app.pages.completeness_view import LEAD, fleet_month, machine_month, month_choice
from app.problems import Problem
from app.security import SignedIn, Viewer, only
from billing.invoicing.billing_period import UnreadablePeriod, billing_period
from metering.completeness.declaration import DeclaredKind, declare
from metering.completeness.store import CompletenessStore
from metering.machine import Machine
from metering.parties.store import PartyStore
from metering.period import Period
from metering.register import UnknownRegister, describe
from metering.store import MeteringStore, UnknownMeter


@dataclass(frozen=True, slots=True)
class Declared:
    """The owner's word for a stretch: moments with an offset, and the month to come back to."""

    start: str
    end: str
    kind: str
    note: str = ""
    month: str = ""


@dataclass(frozen=True, slots=True)
class Back:
    month: str = ""


@get("/completeness", sync_to_thread=True)
def fleet(
    request: Request[Any, Any, State], viewer: SignedIn, month: FromQuery[str] = "", register: FromQuery[str] = LEAD
) -> Template:
    """All machines of the viewer's organisation: one register's sum for the month."""
    only(viewer, "maker", "finance")
    with _looking(request, viewer) as session:
        view = _fleet(session, viewer, month, register)
    return shell.page(request, "completeness.html", view, viewer=viewer, here="/completeness")


@get("/completeness/{machine_id:uuid}", sync_to_thread=True)
def machine(
    request: Request[Any, Any, State], viewer: SignedIn, machine_id: FromPath[UUID], month: FromQuery[str] = ""
) -> Template:
    """One machine's month, down to the readings of every stretch."""
    only(viewer, "maker", "finance")
    with _looking(request, viewer) as session:
        found = owned(session, viewer, machine_id)
        chosen = month or _this_month(found.zone)
        view = machine_month(of_machine(session, found, _month(chosen, found.zone)), month_choice(chosen))
    return shell.page(request, "machine_month.html", view, viewer=viewer, here="/completeness")


@post("/completeness/{machine_id:uuid}/declare", sync_to_thread=True)
def declare_use(
    request: Request[Any, Any, State], viewer: SignedIn, machine_id: FromPath[UUID], data: URLEncodedBody[Declared]
) -> Redirect:
    """The owner says what the machine was used for when nobody had booked it."""
    only(viewer, "maker")
    database: Database = request.app.state.database
    kind = next((each for each in DeclaredKind if each.value == data.kind), None)
    if kind is None:
        raise Problem(400, "Not declared", f"There is no kind of use {data.kind!r}.", "Choose one from the list.")
    with database.transaction(Role.APP, party=viewer.organisation_id) as session:
        found = owned(session, viewer, machine_id)
        period, store = Period(_moment(data.start), _moment(data.end)), CompletenessStore(session)
        declare(found, period, kind, data.note.strip(), by=viewer.name, store=store, now=now())
    told = f"Declared as {kind.label}. It counts as explained from now on, and bills nobody."
    return shell.back_to(request, _address(machine_id, data.month), told)


@post("/completeness/{machine_id:uuid}/declarations/{declaration_id:uuid}/withdraw", sync_to_thread=True)
def withdraw(
    request: Request[Any, Any, State],
    viewer: SignedIn,
    machine_id: FromPath[UUID],
    declaration_id: FromPath[UUID],
    data: URLEncodedBody[Back],
) -> Redirect:
    """Take a declaration back; it stays on record as withdrawn."""
    only(viewer, "maker")
    database: Database = request.app.state.database
    with database.transaction(Role.APP, party=viewer.organisation_id) as session:
        owned(session, viewer, machine_id)
        store = CompletenessStore(session)
        if not store.withdraw(declaration_id, viewer.organisation_id, by=viewer.name, now=now()):
            raise Problem(404, "No such declaration", "There is no such declaration of yours.", "Load the page anew.")
    return shell.back_to(request, _address(machine_id, data.month), "The declaration is withdrawn.")


def owned(session: Session, viewer: Viewer, machine_id: UUID) -> Machine:
    """The machine, if it is the viewer's own. Raises UnknownMeter."""
    found = MeteringStore(session).machine(machine_id)
    if found.owner_id != viewer.organisation_id:
        raise UnknownMeter(f"no machine {machine_id} of yours")
    return found


def _fleet(session: Session, viewer: Viewer, month: str, register: str) -> FleetMonth:
    try:
        describe(register)
    except UnknownRegister as error:
        raise Problem(400, "No such register", str(error), "Choose one from the list.") from None
    zone = PartyStore(session).organisation(viewer.organisation_id).zone
    chosen = month or _this_month(zone)
    _month(chosen, zone)
    machines = [each for each in MeteringStore(session).machines() if each.owner_id == viewer.organisation_id]
    found = [of_machine(session, each, _month(chosen, each.zone)) for each in machines]
    return fleet_month(found, month_choice(chosen), register)


def _looking(request: Request[Any, Any, State], viewer: Viewer) -> Any:
    database: Database = request.app.state.database
    return database.transaction(Role.APP, party=viewer.organisation_id, as_of_one_moment=True)


def _month(value: str, zone: str) -> Period:
    if len(value) != len("2026-05") or not "1971" < value < "9000":
        raise UnreadablePeriod(f"{value!r}: write a month such as 2026-05")
    return billing_period(value, zone)


def _this_month(zone: str) -> str:
    return f"{now().astimezone(ZoneInfo(zone)):%Y-%m}"


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise Problem(400, "Not a time", f"{text!r} is no time.", "Load the page anew, try again.") from None


def _address(machine_id: UUID, month: str) -> str:
    # Only what this page wrote itself: the address is a part of the redirect.
    safe = month if month.replace("-", "").isdecimal() else ""
    return f"/completeness/{machine_id}" + (f"?month={safe}" if safe else "")


route_handlers = [fleet, machine, declare_use, withdraw]
