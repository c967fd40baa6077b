"""A meter's readings: the registers, what they grew by, and the signature checked before one's eyes."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Request, get
from litestar.datastructures import State
from litestar.params import FromPath
from litestar.response import Template

from app.database import Database, Role, Session
from app.pages import shell
from app.pages.reading_view import ReadingPage, reading_page
from app.problems import Problem
from app.security import SignedIn, Viewer
from billing.invoicing.invoice import Invoice, Status
from billing.invoicing.store import InvoiceStore, Resting
from metering.known import Known
from metering.machine import Meter
from metering.period import QUARTER_HOUR, Period, quarter_start
from metering.proof import prove
from metering.reading import Reading
from metering.store import MeteringStore
from metering.store_known import KnownUsageStore

# Beyond every sequence: what an address may say and a database column could not hold.
_LAST = 2**31 - 3


@dataclass(frozen=True, slots=True)
class _Sight:
    """A reading's neighbours and itself, as far as the viewer may see them, and the zone of the machine."""

    meter: Meter
    zone: str
    is_owner: bool
    readings: dict[int, Reading]


@get("/meters/{meter_id:uuid}/readings/{sequence:int}", sync_to_thread=True)
def reading(
    request: Request[Any, Any, State], viewer: SignedIn, meter_id: FromPath[UUID], sequence: FromPath[int]
) -> Template:
    """One reading. It is shown to the machine's owner, to who held the machine then, and to who was billed by it."""
    database: Database = request.app.state.database
    sight = _look(database, viewer, meter_id, sequence)
    if sequence not in sight.readings:
        raise Problem(404, "No such reading", f"Meter {sight.meter.serial} has no reading {sequence} that you may see.")
    usage, lines = _resting(database, viewer, sight, sequence)
    with database.transaction(Role.WORKER) as session:
        view = _page(session, sight, sequence, usage, lines)
    return shell.page(request, "reading.html", view, viewer=viewer, here="")


def _look(database: Database, viewer: Viewer, meter_id: UUID, sequence: int) -> _Sight:
    near = range(max(sequence - 1, 1), min(sequence, _LAST) + 2)
    with database.transaction(Role.APP, party=viewer.organisation_id) as session:
        metering = MeteringStore(session)
        meter = metering.meter(meter_id)
        zone = metering.machine(meter.machine_id).zone
        found = {number: seen for number in near if (seen := metering.reading(meter_id, number))}
        billed = InvoiceStore(session).listed(Status.ISSUED)
    hidden = [number for number in near if number not in found]
    if hidden:
        # As worker: only what the viewer was billed by, or what begins or ends a session of its own.
        with database.transaction(Role.WORKER) as session:
            metering = MeteringStore(session)
            own = metering.edges_of_party(meter_id, viewer.organisation_id, hidden)
            shown = [number for number in hidden if number in own or _rests_on(billed, meter, number)]
            found |= {number: seen for number in shown if (seen := metering.reading(meter_id, number))}
    return _Sight(meter, zone, meter.owner_id == viewer.organisation_id, found)


def _rests_on(invoices: list[Invoice], meter: Meter, sequence: int) -> bool:
    """Whether one of the invoices is made from that reading: who is billed by it may check it, whenever it was."""
    return any(
        part.meter == meter.serial and part.first <= sequence <= part.last
        for invoice in invoices
        for line in invoice.lines
        for part in line.evidence
    )


def _resting(database: Database, viewer: Viewer, sight: _Sight, sequence: int) -> tuple[list[Known], list[Resting]]:
    """The usage and the invoice lines that rest on the reading, as far as the viewer may see them."""
    times = [reading.device_time for reading in sight.readings.values()]
    around = Period(quarter_start(min(times)), max(times) + QUARTER_HOUR)
    with database.transaction(Role.APP, party=viewer.organisation_id) as session:
        usage = KnownUsageStore(session).resting_on(sight.meter.id, sequence, around)
        lines = InvoiceStore(session).resting_on(sight.meter.serial, sequence, around)
    return usage, [each for each in lines if each.status is Status.ISSUED or each.seller == viewer.organisation_id]


def _page(session: Session, sight: _Sight, sequence: int, usage: list[Known], lines: list[Resting]) -> ReadingPage:
    reading = sight.readings[sequence]
    proof = prove(sight.meter.id, reading, store=MeteringStore(session))
    alone = proof is not None and len(proof.sealed.record.readings) == 1
    return reading_page(
        sight.meter,
        reading,
        sight.readings.get(sequence - 1),
        proof,
        has_next=sequence + 1 in sight.readings,
        zone=sight.zone,
        # A record may hold readings of a time that is not the viewer's.
        shows_text=sight.is_owner or alone,
        usage=usage,
        lines=lines,
    )


route_handlers = [reading]
