"""A lease as its lessor sees it: its machines and bookings, and the swap to another machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import State as AppState
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template

from app.clock import now
from app.database import Database, Role, Session
from app.leases import meter_of, time_at
from app.pages import shell
from app.pages.format import State, minute
from app.pages.forms import WHY, Confirming, Filled, FormField, lacking, reason, texts
from app.pages.sme_view import booking_state
from app.replacing import put_machine
from app.security import Link, SignedIn, Viewer, only
from app.wear import UnreadableMoment, moment_in
from billing.capacity.booking import OffTheGrid
from billing.capacity.lease import Lease, Listing
from billing.capacity.store import LeasingStore, UnknownLease
from billing.capacity.swap import MAX_REASON, CannotSwap
from billing.pricing.store import TariffStore
from metering.parties.store import PartyStore
from metering.store import MeteringStore

_MAX_BODY = 16 * 1024
_BOOKINGS_SHOWN = 50
_FIELDS = {"machine": "machine", "at": "at", "reason": WHY}
_AnyRequest = Request[Any, Any, AppState]


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """A machine that the lease ran on, its meter then, since when, and why it came there."""

    machine: str
    serial: str
    since: str
    reason: str


@dataclass(frozen=True, slots=True)
class SlotRow:
    id: UUID
    start: str
    end: str
    machine: str
    state: State


@dataclass(frozen=True, slots=True)
class LeasePage:
    id: UUID
    machine: str
    lessee: str
    tariff: str
    zone: str
    starts: str
    ends: str
    state: State
    can_swap: bool
    has_others: bool
    places: tuple[PlaceRow, ...]
    bookings: tuple[SlotRow, ...]
    earlier: int


@get("/leases/{lease_id:uuid}", sync_to_thread=True)
def lease(request: _AnyRequest, viewer: SignedIn, lease_id: FromPath[UUID]) -> Template:
    """The machines that it ran on and its bookings, for its lessor."""
    with _looking(request, viewer) as session:
        view = _page(session, _owned(session, viewer, lease_id))
    return shell.page(request, "lease.html", view, viewer=viewer, here="/maker")


@get("/leases/{lease_id:uuid}/swap", sync_to_thread=True)
def swap_form(request: _AnyRequest, viewer: SignedIn, lease_id: FromPath[UUID]) -> Template:
    """The form: what it means, the other machine, since when and why."""
    with _looking(request, viewer) as session:
        found = _owned(session, viewer, lease_id)
        view = _asking(found, _page(session, found), _others(session, found))
    return shell.page(request, "confirm.html", view, viewer=viewer, here="/maker")


@post("/leases/{lease_id:uuid}/swap/confirm", sync_to_thread=True, request_max_body_size=_MAX_BODY)
def swap(
    request: _AnyRequest, viewer: SignedIn, lease_id: FromPath[UUID], data: URLEncodedBody[dict[str, Any]]
) -> Redirect | Template:
    """Go on with the lease on the other machine."""
    sent = texts(data)
    with _looking(request, viewer) as session:
        found = _owned(session, viewer, lease_id)
        page, others = _page(session, found), _others(session, found)
    errors, at = _wrong(sent, others, found.zone)
    if not errors and at is not None:
        machine = others[sent["machine"]].machine_id
        try:
            # As worker: bookings and sessions move with it. That the lease is the viewer's was looked at above.
            with _database(request).transaction(Role.WORKER) as session:
                put_machine(session, lease_id, machine, at=at, reason=sent[WHY], now=now())
        except (CannotSwap, OffTheGrid) as error:
            field = error.field if isinstance(error, CannotSwap) else "at"
            errors = {_FIELDS.get(field, ""): str(error)}
        else:
            told = f"The lease runs on {others[sent['machine']].title} since {minute(at, found.zone)}."
            return shell.back_to(request, f"/leases/{lease_id}", told)
    view = _asking(found, page, others).sent(Filled(sent, errors))
    return shell.page(request, "confirm.html", view, viewer=viewer, here="/maker", status=422)


def _wrong(sent: Mapping[str, str], others: Mapping[str, Listing], zone: str) -> tuple[dict[str, str], datetime | None]:
    errors = lacking(sent, most=MAX_REASON)
    if sent.get("machine", "") not in others:
        errors["machine"] = "choose one of the machines that you let"
    try:
        return errors, moment_in(sent.get("at", ""), zone)
    except UnreadableMoment:
        return {**errors, "at": "choose a day and a time"}, None


def _asking(lease: Lease, page: LeasePage, others: Mapping[str, Listing]) -> Confirming:
    return Confirming(
        title=f"Swap the machine of {page.lessee}'s lease",
        back=Link(f"/leases/{lease.id}", f"The lease of {page.lessee}"),
        points=(
            f"Until the moment that you tell, use of {page.machine} counts; from then on that of the other machine, "
            "by the same tariff.",
            "The lease's bookings from then on move to the other machine; one under way is divided. Where the other "
            "machine is taken in one of these slots, nothing changes and you are told.",
            "Every bill over this time names both machines and meters, with your reason.",
        ),
        action=f"/leases/{lease.id}/swap/confirm",
        button="Swap the machine",
        fields=(
            FormField("machine", "The machine in its place", "machines that you let", choices=tuple(others)),
            FormField(
                "at",
                "Runs there since",
                f"on a quarter hour, by the machine's clock ({lease.zone})",
                type="datetime-local",
                needed=True,
            ),
            reason("such as: spindle is being repaired; it is printed on the bill"),
        ),
        agree="The lessee knows of it, and the time is right.",
    )


def _page(session: Session, lease: Lease) -> LeasePage:
    leasing, metering, zone = LeasingStore(session), MeteringStore(session), lease.zone
    clock = time_at(metering.latest(meter_of(session, lease)), now())
    places, bookings = leasing.machines_of(lease), leasing.bookings_of_lease(lease.id)
    names = {place.machine_id: metering.machine(place.machine_id).name for place in places}
    tariff = TariffStore(session).version(lease.tariff_version_id)
    has_ended = lease.ends is not None and lease.ends <= clock
    slots = sorted(bookings, key=lambda booking: booking.slot)
    return LeasePage(
        id=lease.id,
        machine=names[places[-1].machine_id],
        lessee=PartyStore(session).organisation(lease.lessee_id).name,
        tariff=f"{tariff.title}, version {tariff.version}",
        zone=zone,
        starts=minute(lease.starts, zone),
        ends=minute(lease.ends, zone) if lease.ends else "",
        state=State("ended") if has_ended else State("running", "good"),
        can_swap=not has_ended,
        has_others=bool(_others(session, lease)),
        places=tuple(
            PlaceRow(names[place.machine_id], place.meter_serial, minute(place.since, zone), place.reason)
            for place in places
        ),
        bookings=tuple(
            SlotRow(
                each.id,
                minute(each.slot.start, zone),
                minute(each.slot.end, zone),
                names.get(each.machine_id, ""),
                booking_state(each, clock),
            )
            for each in reversed(slots[-_BOOKINGS_SHOWN:])
        ),
        earlier=max(len(slots) - _BOOKINGS_SHOWN, 0),
    )


def _others(session: Session, lease: Lease) -> dict[str, Listing]:
    """The lessor's other listed machines, by what a form calls them."""
    leasing = LeasingStore(session)
    here = leasing.machines_of(lease)[-1].machine_id
    mine = (each for each in leasing.listings() if each.lessor_id == lease.lessor_id and each.machine_id != here)
    return {f"{each.title}, meter {each.meter_serial}": each for each in mine}


def _owned(session: Session, viewer: Viewer, lease_id: UUID) -> Lease:
    found = LeasingStore(session).lease(lease_id)
    if found.lessor_id != viewer.organisation_id:
        raise UnknownLease(f"no lease {lease_id} that you let")
    return found


def _looking(request: _AnyRequest, viewer: Viewer) -> Any:
    only(viewer, "maker")
    return _database(request).transaction(Role.APP, party=viewer.organisation_id)


def _database(request: _AnyRequest) -> Database:
    found: Database = request.app.state.database
    return found


route_handlers = [lease, swap_form, swap]
