"""Pages of a machine's components: what was told of one, and forms to tell more. Nothing is overwritten."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Redirect, Template

from app.clock import now
from app.database import Database, Role, Session
from app.pages import shell
from app.pages.component_view import PREFIX, component_page, new_page, refused
from app.pages.forms import Filled
from app.problems import Problem
from app.security import SignedIn, Viewer, only
from app.wear import UnreadableMoment, moment_in, owned
from metering.components import record
from metering.components.component import History
from metering.components.fields import ComponentRefused, refusal
from metering.components.parameters import Kind, kind_named
from metering.components.record import Recorded, Teller
from metering.components.store import ComponentStore
from metering.components.told import fitting, told
from metering.machine import Machine

# One method a path: where two handlers of one path run in threads, litestar wraps the first of them twice.
_MAX_BODY = 64 * 1024
_Body = URLEncodedBody[dict[str, Any]]
_AnyRequest = Request[Any, Any, State]


@get("/machines/{machine_id:uuid}/components/new", sync_to_thread=True)
def new_form(request: _AnyRequest, viewer: SignedIn, machine_id: FromPath[UUID], kind: FromQuery[str]) -> Template:
    """The form for a new component of a kind."""
    only(viewer, "maker")
    with _session(request, viewer) as session:
        machine = owned(session, viewer.organisation_id, machine_id)
    view = new_page(machine, kind_named(kind), Filled())
    return shell.page(request, "component.html", view, viewer=viewer, here="/maker")


@post("/machines/{machine_id:uuid}/components/add", sync_to_thread=True, request_max_body_size=_MAX_BODY)
def add(
    request: _AnyRequest, viewer: SignedIn, machine_id: FromPath[UUID], kind: FromQuery[str], data: _Body
) -> Redirect | Template:
    """Add a component with its first parameters and piece."""
    only(viewer, "maker")
    sent, wanted = _sent(data), kind_named(kind)
    with _session(request, viewer) as session:
        machine = owned(session, viewer.organisation_id, machine_id)
    try:
        with _session(request, viewer) as session:
            name, store = sent.get("name", "").strip(), ComponentStore(session)
            given = {**_told(sent, wanted, name, machine.zone), **_piece(sent, "valid_from", machine.zone)}
            if any(each.component.name == name for each in store.histories(machine_id)):
                raise refusal("name", "is there already; open it to change its parameters")
            done = record.set_component(told(given), teller=_teller(machine, viewer), store=store)
    except ComponentRefused as error:
        view = new_page(machine, wanted, refused(sent, error, wanted))
        return shell.page(request, "component.html", view, viewer=viewer, here="/maker", status=422)
    return shell.back_to(request, f"/machines/{machine_id}/wear", f"{done.history.component.name} is added.")


@get("/machines/{machine_id:uuid}/components/{component_id:uuid}", sync_to_thread=True)
def component(
    request: _AnyRequest, viewer: SignedIn, machine_id: FromPath[UUID], component_id: FromPath[UUID]
) -> Template:
    """One component: everything that was told of it, and the forms to tell more."""
    only(viewer, "maker")
    with _session(request, viewer) as session:
        machine, history = _looked_up(session, viewer, machine_id, component_id)
    view = component_page(machine, history, Filled(), Filled())
    return shell.page(request, "component.html", view, viewer=viewer, here="/maker")


@post(
    "/machines/{machine_id:uuid}/components/{component_id:uuid}/parameters",
    sync_to_thread=True,
    request_max_body_size=_MAX_BODY,
)
def set_parameters(
    request: _AnyRequest, viewer: SignedIn, machine_id: FromPath[UUID], component_id: FromPath[UUID], data: _Body
) -> Redirect | Template:
    """Another version of the parameters, from a moment on or as a correction of one."""

    def verb(machine: Machine, history: History, store: ComponentStore) -> Recorded:
        given = _told(_sent(data), history.component.kind, history.component.name, machine.zone)
        return record.set_component(told(given), teller=_teller(machine, viewer), store=store)

    return _recorded(request, viewer, (machine_id, component_id), data, verb, "parameters")


@post(
    "/machines/{machine_id:uuid}/components/{component_id:uuid}/pieces",
    sync_to_thread=True,
    request_max_body_size=_MAX_BODY,
)
def fit(
    request: _AnyRequest, viewer: SignedIn, machine_id: FromPath[UUID], component_id: FromPath[UUID], data: _Body
) -> Redirect | Template:
    """Another piece was fitted."""

    def verb(machine: Machine, history: History, store: ComponentStore) -> Recorded:
        sent = _sent(data)
        piece = fitting(_piece(sent, "fitted_at", machine.zone))
        return record.fit(component_id, piece, sent.get("why", ""), teller=_teller(machine, viewer), store=store)

    return _recorded(request, viewer, (machine_id, component_id), data, verb, "piece")


@post(
    "/machines/{machine_id:uuid}/components/{component_id:uuid}/entries/{number:int}/withdraw",
    sync_to_thread=True,
    request_max_body_size=_MAX_BODY,
)
def withdraw(
    request: _AnyRequest,
    viewer: SignedIn,
    machine_id: FromPath[UUID],
    component_id: FromPath[UUID],
    number: FromPath[int],
    data: _Body,
) -> Redirect | Template:
    """Take an entry back; it stays on record."""

    def verb(machine: Machine, history: History, store: ComponentStore) -> Recorded:
        why = _sent(data).get("why", "")
        return record.withdraw(component_id, number, why, teller=_teller(machine, viewer), store=store)

    return _recorded(request, viewer, (machine_id, component_id), data, verb, "")


def _recorded(
    request: _AnyRequest,
    viewer: Viewer,
    ids: tuple[UUID, UUID],
    data: Mapping[str, Any],
    verb: Callable[[Machine, History, ComponentStore], Recorded],
    form: str,
) -> Redirect | Template:
    """Do it and go back, or show the page with what was wrong; `form` names the form that was sent."""
    only(viewer, "maker")
    try:
        with _session(request, viewer) as session:
            machine, history = _looked_up(session, viewer, *ids)
            done = verb(machine, history, ComponentStore(session))
    except ComponentRefused as error:
        filled = refused(_sent(data), error, history.component.kind if form == "parameters" else None)
        told_form, fitted_form = (filled, Filled()) if form == "parameters" else (Filled(), filled)
        view = component_page(machine, history, told_form, fitted_form)
        general = filled.general or ("" if form else "; ".join(filled.errors.values()))
        return shell.page(request, "component.html", view, viewer=viewer, here="/maker", error=general, status=422)
    notice = "It is on record; wear is computed by it from now on." if done.new else "That was known already."
    return shell.back_to(request, f"/machines/{ids[0]}/components/{ids[1]}", notice)


def _looked_up(session: Session, viewer: Viewer, machine_id: UUID, component_id: UUID) -> tuple[Machine, History]:
    machine = owned(session, viewer.organisation_id, machine_id)
    for history in ComponentStore(session).histories(machine_id):
        if history.component.id == component_id:
            return machine, history
    raise Problem(404, "No such component", f"{machine.name} has no such component.", "Choose one on its page of wear.")


def _sent(data: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in data.items() if isinstance(value, str)}


def _told(sent: Mapping[str, str], kind: Kind, name: str, zone: str) -> dict[str, object]:
    return {
        "name": name,
        "kind": kind.value,
        "valid_from": _moment("valid_from", sent, zone),
        "why": sent.get("why", ""),
        "parameters": {key.removeprefix(PREFIX): value for key, value in sent.items() if key.startswith(PREFIX)},
    }


def _piece(sent: Mapping[str, str], moment: str, zone: str) -> dict[str, object]:
    told = {name: sent.get(name, "") for name in ("serial", "used_share")}
    return {"fitted_at": _moment(moment, sent, zone), **told}


def _moment(name: str, sent: Mapping[str, str], zone: str) -> object:
    """A moment by the machine's clock; what is none is left to the reader to refuse, beside the other fields."""
    try:
        return moment_in(sent.get(name, ""), zone)
    except UnreadableMoment:
        return sent.get(name, "") or "nothing"


def _teller(machine: Machine, viewer: Viewer) -> Teller:
    return Teller(machine, viewer.name, now())


def _session(request: _AnyRequest, viewer: Viewer) -> Any:
    database: Database = request.app.state.database
    return database.transaction(Role.APP, party=viewer.organisation_id)


route_handlers = [new_form, add, component, set_parameters, fit, withdraw]
