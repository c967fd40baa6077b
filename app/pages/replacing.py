"""The maker tells that another meter is on a machine."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template

from app.clock import now
from app.database import Database, Role
from app.pages import shell
from app.pages.forms import WHY, Confirming, Filled, FormField, lacking, reason, texts
from app.replacing import put_meter
from app.security import Link, SignedIn, Viewer, only
from app.wear import UnreadableMoment, moment_in
from metering.enrol import MeterTaken
from metering.machine import Machine, Meter
from metering.replace_meter import MAX_REASON, CannotReplace
from metering.store import MeteringStore, UnknownMeter

_MAX_BODY = 16 * 1024
_MAX_SERIAL = 100
# The verb's words for what has to be told otherwise, and the form's.
_FIELDS = {"serial": "serial", "at": "at", "reason": WHY}
_AnyRequest = Request[Any, Any, State]


@get("/meters/{meter_id:uuid}/replace", sync_to_thread=True)
def replace_form(request: _AnyRequest, viewer: SignedIn, meter_id: FromPath[UUID]) -> Template:
    """The form: what it means, the new meter's serial, when and why."""
    machine, meter = _owned(request, viewer, meter_id)
    return shell.page(request, "confirm.html", _asking(machine, meter), viewer=viewer, here="/maker")


@post("/meters/{meter_id:uuid}/replace/confirm", sync_to_thread=True, request_max_body_size=_MAX_BODY)
def replace(
    request: _AnyRequest, viewer: SignedIn, meter_id: FromPath[UUID], data: URLEncodedBody[dict[str, Any]]
) -> Redirect | Template:
    """Bill on with the new meter; its agent's enrolment code is shown once."""
    machine, meter = _owned(request, viewer, meter_id)
    sent = texts(data)
    errors, at = _wrong(sent, machine.zone)
    if not errors and at is not None:
        try:
            # As worker: the listing and the sessions move with it. That the meter is the viewer's was looked at above.
            with _database(request).transaction(Role.WORKER) as session:
                done = put_meter(session, meter.serial, sent["serial"], at=at, reason=sent[WHY], now=now())
        except (CannotReplace, MeterTaken) as error:
            field = error.field if isinstance(error, CannotReplace) else "serial"
            errors = {_FIELDS.get(field, ""): str(error) or str(type(error).__doc__)}
        else:
            code = done.invitation
            return shell.back_to(
                request,
                "/maker",
                f"Meter {sent['serial']} measures {machine.name} since then. Put this code into its agent's code_file: "
                f"{code.code} (valid until {code.expires_at:%Y-%m-%d %H:%M} UTC; it is not shown again).",
            )
    view = _asking(machine, meter).sent(Filled(sent, errors))
    return shell.page(request, "confirm.html", view, viewer=viewer, here="/maker", status=422)


def _wrong(sent: Mapping[str, str], zone: str) -> tuple[dict[str, str], datetime | None]:
    """What is wrong with the form, by field; and the moment, by the machine's clock."""
    errors = lacking(sent, most=MAX_REASON)
    if not 0 < len(sent.get("serial", "")) <= _MAX_SERIAL:
        errors["serial"] = f"give the new meter's serial number, of up to {_MAX_SERIAL} characters"
    try:
        return errors, moment_in(sent.get("at", ""), zone)
    except UnreadableMoment:
        return {**errors, "at": "choose a day and a time"}, None


def _asking(machine: Machine, meter: Meter) -> Confirming:
    return Confirming(
        title=f"Replace meter {meter.serial}",
        back=Link("/maker", f"{machine.name}, in the fleet"),
        points=(
            f"Until the moment that you tell, the readings of {meter.serial} count; from then on those of the new one. "
            "Nothing is carried over: what neither of them measured is billed to nobody.",
            "Leases, bookings and the listing go on. Every bill over this time names both meters, with your reason.",
            "The old agent may still send what it measured before. The new one enrols with a code that you are shown.",
            f"A meter is replaced once and for good. One told wrongly is replaced again. Times of {machine.zone}.",
        ),
        action=f"/meters/{meter.id}/replace/confirm",
        button="Replace the meter",
        fields=(
            FormField("serial", "Serial number of the new meter", "as it is printed on the box", needed=True),
            FormField("at", "On the machine since", "by the machine's clock", type="datetime-local", needed=True),
            reason("such as: box broken; it is printed on the bill"),
        ),
        agree="The serial number and the time are right.",
    )


def _owned(request: _AnyRequest, viewer: Viewer, meter_id: UUID) -> tuple[Machine, Meter]:
    only(viewer, "maker")
    with _database(request).transaction(Role.APP, party=viewer.organisation_id) as session:
        metering = MeteringStore(session)
        meter = metering.meter(meter_id)
        if meter.owner_id != viewer.organisation_id:
            raise UnknownMeter(f"no meter {meter_id} of yours")
        return metering.machine(meter.machine_id), meter


def _database(request: _AnyRequest) -> Database:
    found: Database = request.app.state.database
    return found


route_handlers = [replace_form, replace]
