"""The maker's page: the fleet with its live registers, use by day and outside any booking, drafts to release."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from litestar import Request, get
from litestar.datastructures import State
from litestar.response import Template

from app.clock import now
from app.database import Database, Role, Session
from app.pages import shell
from app.pages.format import minute
from app.pages.invoices import rows
from app.pages.maker_view import DAYS_SHOWN, LeaseLink, MachineCard, MakerPage, banners, machine_card
from app.security import SignedIn, only
from billing.capacity.attribution import attribute
from billing.capacity.store import LeasingStore
from billing.invoicing.invoice import Status
from metering.machine import Machine
from metering.parties.store import PartyStore
from metering.period import Period
from metering.refusals.store import RefusalStore
from metering.store import MeteringStore
from metering.telemetry.store import TelemetryStore
from metering.usage import Usage


@get("/maker", sync_to_thread=True)
def fleet(request: Request[Any, Any, State], viewer: SignedIn) -> Template:
    """Every machine of the viewer's organisation, and the invoices that wait for release."""
    only(viewer, "maker")
    database: Database = request.app.state.database
    with database.transaction(Role.APP, party=viewer.organisation_id) as session:
        owned = [each for each in MeteringStore(session).machines() if each.owner_id == viewer.organisation_id]
        cards = tuple(card for machine in owned for card in _cards(session, machine, now()))
        drafts = rows(session, viewer, Status.DRAFT, Status.REVIEW)
        raised = {alarm.meter_id: alarm.raised_at for alarm in RefusalStore(session).alarms()}
    view = MakerPage(cards, drafts, banners(cards, raised))
    return shell.page(request, "maker.html", view, viewer=viewer, here="/maker")


def _cards(session: Session, machine: Machine, at: datetime) -> Sequence[MachineCard]:
    """A card for each of the machine's meters."""
    metering = MeteringStore(session)
    meters = metering.meters(machine.id)
    heads = metering.heads(meter.id for meter in meters)
    replaced = {each.meter.id for meter in meters for each in metering.fittings(meter.id) if each.until is not None}
    leases = _leases(session, machine, at)
    cards = []
    for meter in meters:
        head, latest = heads.get(meter.id), metering.latest(meter.id)
        until = latest.reading.device_time if latest else at
        shown = Period(until - timedelta(days=DAYS_SHOWN), until)
        usage = metering.usage(meter.id, shown)
        cards.append(
            machine_card(
                machine,
                meter,
                latest,
                usage=usage,
                outside=_outside(session, machine, usage, shown),
                telemetry=TelemetryStore(session).completeness(meter.id),
                heard_at=head.heard_at if head else None,
                now=at,
                agent=metering.agent_of(meter.id),
                refused=RefusalStore(session).reasons(meter.id),
                leases=() if meter.id in replaced else leases,
                is_replaced=meter.id in replaced,
            )
        )
    return cards


def _leases(session: Session, machine: Machine, at: datetime) -> tuple[LeaseLink, ...]:
    """The leases that run on the machine now, or will."""
    leasing, parties = LeasingStore(session), PartyStore(session)
    found = [lease for lease in leasing.leases() if lease.ends is None or at < lease.ends]
    places = leasing.machines_of_all(found)
    return tuple(
        LeaseLink(lease.id, parties.organisation(lease.lessee_id).name, minute(lease.starts, lease.zone))
        for lease in found
        if lease.lessor_id == machine.owner_id and places[lease.id][-1].machine_id == machine.id
    )


def _outside(session: Session, machine: Machine, usage: Sequence[Usage], shown: Period) -> tuple[Usage, ...]:
    # A booking may run on: what lies a little beyond the time shown bounds it too.
    around = Period(shown.start - timedelta(days=1), shown.end + timedelta(days=1))
    return attribute(usage, LeasingStore(session).bookings_of_machine(machine.id, around)).outside


route_handlers = [fleet]
