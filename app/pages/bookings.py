"""A booking as its two parties see it, and its cancellation."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import State as AppState
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template

from app.clock import now
from app.database import Database, Role, Session
from app.leases import clock_of
from app.pages import shell
from app.pages.format import State, minute
from app.pages.forms import AGREED, Confirming, Filled, FormField, texts
from app.pages.sme_view import booking_state
from app.problems import Problem
from app.security import Link, SignedIn, Viewer, only
from billing.capacity.booking import Booking, BookingStatus
from billing.capacity.cancel_booking import CannotCancel, cancel_booking, hours_of
from billing.capacity.lease import Lease
from billing.capacity.store import LeasingStore
from billing.pricing.fees import EventCharge, EventKind
from billing.pricing.store import TariffStore
from metering.parties.store import PartyStore
from metering.store import MeteringStore

_MAX_BODY = 16 * 1024
_LATE = "late_hours"
_AnyRequest = Request[Any, Any, AppState]


@dataclass(frozen=True, slots=True)
class BookingPage:
    """`why_not` says why the booking cannot be cancelled any more; empty where it can."""

    id: UUID
    machine: str
    start: str
    end: str
    zone: str
    state: State
    facts: tuple[tuple[str, str], ...]
    back: Link
    why_not: str


@dataclass(frozen=True, slots=True)
class _Known:
    """A booking with its lease, what a late cancellation costs by the tariff, and what its page shows."""

    booking: Booking
    lease: Lease
    charge: EventCharge | None
    page: BookingPage


@get("/bookings/{booking_id:uuid}", sync_to_thread=True)
def booking(request: _AnyRequest, viewer: SignedIn, booking_id: FromPath[UUID]) -> Template:
    """When and where, for whom, and how it stands."""
    view = _look(request, viewer, booking_id).page
    return shell.page(request, "booking.html", view, viewer=viewer, here=view.back.path)


@get("/bookings/{booking_id:uuid}/cancel", sync_to_thread=True)
def cancel_form(request: _AnyRequest, viewer: SignedIn, booking_id: FromPath[UUID]) -> Template:
    """What cancelling means and costs."""
    known = _look(request, viewer, booking_id)
    if known.page.why_not:
        raise CannotCancel(known.page.why_not)
    return shell.page(request, "confirm.html", _asking(known, viewer), viewer=viewer, here=known.page.back.path)


@post("/bookings/{booking_id:uuid}/cancel/confirm", sync_to_thread=True, request_max_body_size=_MAX_BODY)
def cancel(
    request: _AnyRequest, viewer: SignedIn, booking_id: FromPath[UUID], data: URLEncodedBody[dict[str, Any]]
) -> Redirect | Template:
    """Free the slot; a lessor may put late hours on record."""
    known, sent = _look(request, viewer, booking_id), texts(data)
    errors = {} if sent.get(AGREED) else {AGREED: "tick the box once you have read it"}
    late = _late_hours(sent.get(_LATE, "")) if _may_charge(known, viewer) else Decimal(0)
    if late is None or not 0 <= late <= hours_of(known.booking):
        errors[_LATE] = f"write hours from 0 to {hours_of(known.booking)}"
    if errors or late is None:
        view = _asking(known, viewer).sent(Filled(sent, errors))
        return shell.page(request, "confirm.html", view, viewer=viewer, here=known.page.back.path, status=422)
    # As worker: the session is withdrawn with it. That the booking is one of the viewer's was looked at above.
    with _database(request).transaction(Role.WORKER) as session:
        cancel_booking(
            booking_id,
            late_hours=late,
            earliest=clock_of(session, known.booking, now()),
            leasing=LeasingStore(session),
            metering=MeteringStore(session),
            now=now(),
        )
    return shell.back_to(request, f"/bookings/{booking_id}", "The booking is cancelled; the slot is free again.")


def _look(request: _AnyRequest, viewer: Viewer, booking_id: UUID) -> _Known:
    """The booking, where the viewer is a party of it. Raises Problem."""
    only(viewer, "sme", "maker")
    with _database(request).transaction(Role.APP, party=viewer.organisation_id) as session:
        leasing = LeasingStore(session)
        try:
            found = leasing.booking(booking_id)
        except LookupError:
            found = None
        mine = {"sme": found.lessee_id, "maker": found.lessor_id}.get(viewer.role) if found else None
        if found is None or mine != viewer.organisation_id:
            raise Problem(404, "No such booking", "There is no such booking of yours.", "Choose one from the list.")
        lease = leasing.lease(found.lease_id)
    # As worker: what time it is at the machine is no secret of whoever uses it.
    with _database(request).transaction(Role.WORKER) as session:
        tariff = TariffStore(session).version(lease.tariff_version_id)
        charge = next((each for each in tariff.charges if each.on is EventKind.LATE_CANCEL), None)
        return _Known(found, lease, charge, _page(session, viewer, found, lease))


def _page(session: Session, viewer: Viewer, found: Booking, lease: Lease) -> BookingPage:
    clock, parties = clock_of(session, found, now()), PartyStore(session)
    lessee, lessor = (parties.organisation(party).name for party in (found.lessee_id, found.lessor_id))
    why_not = ""
    if found.status is BookingStatus.CANCELLED:
        why_not = "the booking is cancelled already"
    elif found.slot.start <= clock:
        why_not = "the slot has begun: what it uses is billed"
    owner = viewer.role == "maker"
    return BookingPage(
        id=found.id,
        machine=MeteringStore(session).machine(found.machine_id).name,
        start=minute(found.slot.start, lease.zone),
        end=minute(found.slot.end, lease.zone),
        zone=lease.zone,
        state=booking_state(found, clock),
        facts=(("Lessee", lessee), ("Lessor", lessor), ("Length", f"{hours_of(found)} h")),
        back=Link(f"/leases/{lease.id}", f"The lease of {lessee}") if owner else Link("/sme", "My capacity"),
        why_not=why_not,
    )


def _asking(known: _Known, viewer: Viewer) -> Confirming:
    page, charge, currency = known.page, known.charge, known.lease.currency
    points = ["The slot is free again for others, and no session is metered for it."]
    if charge is None:
        points.append("The tariff has no price for a late cancellation: it costs nothing.")
    else:
        price = "by its own bill" if charge.price is None else f"{charge.price} {currency} per {charge.unit}"
        points.append(f"The tariff prices a late cancellation: {price}. It has no terms of notice that charge it.")
        points.append(
            "As lessor you may put hours on record, which the lessee's next bill then has with this booking as proof."
            if _may_charge(known, viewer)
            else "Cancelling here puts nothing on record. Whether it was late is for the lessor to say."
        )
    points.append("A cancelled booking cannot be taken up again; the slot can be booked anew while it is free.")
    field = FormField(_LATE, "Late hours to charge", f"0 to {hours_of(known.booking)}, those of the slot", value="0")
    return Confirming(
        title="Cancel the booking",
        back=Link(f"/bookings/{page.id}", f"{page.machine}, {page.start} to {page.end}"),
        points=tuple(points),
        action=f"/bookings/{page.id}/cancel/confirm",
        button="Cancel the booking",
        fields=(field,) if _may_charge(known, viewer) else (),
        agree="Cancel this booking.",
    )


def _may_charge(known: _Known, viewer: Viewer) -> bool:
    return known.charge is not None and viewer.role == "maker"


def _late_hours(text: str) -> Decimal | None:
    """Hours as they were written, with at most two places; None where they are none."""
    try:
        hours = Decimal(text or "0")
    except InvalidOperation:
        return None
    return hours if hours.is_finite() and hours == round(hours, 2) else None


def _database(request: _AnyRequest) -> Database:
    found: Database = request.app.state.database
    return found


route_handlers = [booking, cancel_form, cancel]
