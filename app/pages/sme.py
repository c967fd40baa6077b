"""The lessee's page: cost to date of each lease with its working, bookings, the next slot."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.params import URLEncodedBody
from litestar.response import Redirect, Template

from app.clock import now
from app.database import Database, Role, Session
from app.leases import so_far, time_at
from app.pages import shell
from app.pages.format import sentence
from app.pages.invoices import rows
from app.pages.sme_view import (
    LOOK_AHEAD,
    BookingForm,
    LeaseCard,
    Offer,
    SmePage,
    lease_card,
    local_slot,
    next_free,
    shown_bookings,
    to_pay,
)
from app.security import SignedIn, Viewer, only
from billing.capacity.book import Refused, book
from billing.capacity.booking import Booking, OffTheGrid
from billing.capacity.lease import Lease, Listing
from billing.capacity.machine_use import each_once
from billing.capacity.store import LeasingStore, UnknownLease
from billing.invoicing.invoice import Status
from billing.pricing.store import TariffStore
from metering.parties.store import PartyStore
from metering.period import Period, PeriodError
from metering.session import MeasuredSession
from metering.store import MeteringStore


class UnreadableTime(ValueError):
    """A booking's times are local ones such as 2026-05-01T09:00."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A slot that somebody asks for, in the machine's local time; `lease_id` is empty for a lease of its own.

    A browser sends times without zone and seconds (`2026-05-01T09:00`), which only text can take.
    """

    machine_id: UUID
    start: str
    end: str
    lease_id: str = ""


@get("/sme", sync_to_thread=True)
def capacity(request: Request[Any, Any, State], viewer: SignedIn) -> Template:
    """The viewer's leases and every machine that can be booked."""
    only(viewer, "sme")
    return shell.page(request, "sme.html", _page(request, viewer), viewer=viewer, here="/sme")


@post("/sme/bookings", sync_to_thread=True)
def booking(
    request: Request[Any, Any, State],
    viewer: SignedIn,
    data: URLEncodedBody[Wish],
) -> Redirect | Template:
    """Take a slot; a refusal is told beside the form, which keeps what was asked for."""
    only(viewer, "sme")
    refused = _book(request.app.state.database, viewer, data)
    if refused is None:
        start, end = (moment.replace("T", " ") for moment in (data.start, data.end))
        return shell.back_to(request, "/sme", f"Booked from {start} to {end}.")
    asked = BookingForm(data.machine_id, data.lease_id, "", data.start, data.end, refused)
    return shell.page(request, "sme.html", _page(request, viewer, asked), viewer=viewer, here="/sme", status=409)


def _page(request: Request[Any, Any, State], viewer: Viewer, asked: BookingForm | None = None) -> SmePage:
    database: Database = request.app.state.database
    with database.transaction(Role.APP, party=viewer.organisation_id) as session:
        leasing = LeasingStore(session)
        held = [lease for lease in leasing.leases() if lease.lessee_id == viewer.organisation_id]
        listings = [listing for listing in leasing.listings() if listing.lessor_id != viewer.organisation_id]
        due = to_pay(rows(session, viewer, Status.ISSUED))
    # As worker: whose bookings bound a lease's use, and which slots are taken, is asked without telling by whom.
    with database.transaction(Role.WORKER) as session:
        place = _Place(session, now(), asked)
        cards = [place.card(lease, listings) for lease in held]
        kept = {LeasingStore(session).machines_of(lease)[-1].machine_id for lease in held if lease.ends is None}
        offers = tuple(place.offer(listing) for listing in listings if listing.machine_id not in kept)
    shown = tuple(card for card in cards if card.is_shown)
    return SmePage(shown, tuple(card for card in cards if not card.is_shown), offers, due)


@dataclass(frozen=True, slots=True)
class _Place:
    """What cards and offers are made with: the worker's session, the time, and the booking that was refused."""

    session: Session
    at: datetime
    asked: BookingForm | None

    def card(self, lease: Lease, listings: Sequence[Listing]) -> LeaseCard:
        """A lease with its cost so far and its bookings; a form where it runs on."""
        leasing = LeasingStore(self.session)
        machine = leasing.machines_of(lease)[-1].machine_id
        listing = next((each for each in listings if each.machine_id == machine), None)
        cost = so_far(self.session, lease, now=self.at)
        form = self._form(listing, lease) if listing and lease.ends is None else None
        bookings = leasing.bookings_of_lease(lease.id)
        return lease_card(
            lease,
            cost,
            bookings,
            sessions=self._sessions(lease, bookings),
            machine=listing.title if listing else MeteringStore(self.session).machine(machine).name,
            lessor=PartyStore(self.session).organisation(lease.lessor_id).name,
            form=form,
        )

    def _sessions(self, lease: Lease, bookings: Sequence[Booking]) -> dict[str, MeasuredSession]:
        """The sessions of the bookings that the card shows, by their ids, which are the bookings'."""
        shown = shown_bookings(bookings)
        if not shown:
            return {}
        span = Period(shown[0].slot.start, max(booking.slot.end for booking in shown))
        ids = {str(booking.id) for booking in shown}
        metering, machines = MeteringStore(self.session), LeasingStore(self.session).machines_of(lease)
        meters = [fitting.meter for place in each_once(machines) for fitting in metering.fittings(place.meter_id)]
        found = (one for meter in meters for one in metering.sessions(meter.id, span))
        return {one.session.id: one for one in found if one.session.id in ids}

    def offer(self, listing: Listing) -> Offer:
        """A machine that can be booked without a lease before it."""
        lessor = PartyStore(self.session).organisation(listing.lessor_id).name
        tariff = TariffStore(self.session).version(listing.tariff_version_id)
        return Offer(listing.title, lessor, f"{tariff.title}, version {tariff.version}", self._form(listing, None))

    def _form(self, listing: Listing, lease: Lease | None) -> BookingForm:
        lease_id = str(lease.id) if lease else ""
        if self.asked and (self.asked.machine_id, self.asked.lease_id) == (listing.machine_id, lease_id):
            return replace(self.asked, zone=listing.zone)
        clock = time_at(MeteringStore(self.session).latest(listing.meter_id), self.at)
        ahead = Period(clock, clock + LOOK_AHEAD)
        slot = next_free(LeasingStore(self.session).busy(listing.machine_id, ahead), clock)
        return BookingForm(listing.machine_id, lease_id, listing.zone, *local_slot(slot, listing.zone))


def _book(database: Database, viewer: Viewer, wish: Wish) -> str | None:
    """Book for the viewer's organisation; the reason when the slot cannot be had. Raises UnknownLease."""
    with database.transaction(Role.APP, party=viewer.organisation_id) as session:
        leasing = LeasingStore(session)
        listing = leasing.listing(wish.machine_id)
        lease = leasing.lease(UUID(wish.lease_id)) if wish.lease_id else None
        machine = leasing.machines_of(lease)[-1].machine_id if lease else listing.machine_id
    if lease and (lease.lessee_id, machine) != (viewer.organisation_id, listing.machine_id):
        raise UnknownLease(f"no lease {lease.id} of yours for this machine")
    try:
        slot = _slot(wish, ZoneInfo(listing.zone))
        with database.transaction(Role.WORKER) as session:
            metering = MeteringStore(session)
            result = book(
                listing,
                viewer.organisation_id,
                slot,
                lease=lease,
                earliest=time_at(metering.latest(listing.meter_id), now()),
                leasing=LeasingStore(session),
                metering=metering,
                now=now(),
            )
    except UnreadableTime as error:
        return sentence(str(error))
    except PeriodError:
        return "The end must lie after the start."
    except OffTheGrid:
        return "A slot starts and ends on a quarter hour: 09:00 or 09:15, not 09:10."
    return sentence(result.reason) if isinstance(result, Refused) else None


def _slot(wish: Wish, clock: ZoneInfo) -> Period:
    try:
        start, end = (datetime.fromisoformat(moment).replace(tzinfo=clock) for moment in (wish.start, wish.end))
    except ValueError as error:
        raise UnreadableTime("write times such as 2026-05-01T09:00, in the machine's local time") from error
    return Period(start, end)


route_handlers = [capacity, booking]
