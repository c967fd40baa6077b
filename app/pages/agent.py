"""The page of a meter's agent: how it stands, what was refused of it, and its owner's decisions about that."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template

from app.clock import now
from app.database import Database, Role, Session
from app.pages import shell
from app.pages.agent_view import (
    AgentPage,
    Refusals,
    accept_page,
    agent_page,
    note_page,
    revoke_page,
)
from app.pages.forms import WHY, Confirming, Filled, lacking, texts
from app.problems import Problem
from app.refusals import settle_all, settle_one
from app.security import SignedIn, Viewer, only
from metering.machine import Agent, Machine, Meter
from metering.refusals.foresee import foresee
from metering.refusals.settle import LONGEST_WHY
from metering.refusals.store import RefusalStore
from metering.rotate_key import MAX_REASON, revoke_agent
from metering.store import MeteringStore, UnknownMeter

# One method a path: where two handlers of one path run in threads, litestar wraps the first of them twice.
_MAX_BODY = 16 * 1024
_MOST_COUNTED = 10_000
_Body = URLEncodedBody[dict[str, Any]]
_AnyRequest = Request[Any, Any, State]


@get("/meters/{meter_id:uuid}/agent", sync_to_thread=True)
def agent(request: _AnyRequest, viewer: SignedIn, meter_id: FromPath[UUID]) -> Template:
    """The agent with all that was refused of it and not settled."""
    only(viewer, "maker")
    with _looking(request, viewer) as session:
        view = _page(session, *_owned(session, viewer, meter_id))
    return shell.page(request, "agent.html", view, viewer=viewer, here="/maker")


@get("/meters/{meter_id:uuid}/agent/refusals/{refused_id:uuid}", sync_to_thread=True)
def refusal(request: _AnyRequest, viewer: SignedIn, meter_id: FromPath[UUID], refused_id: FromPath[UUID]) -> Template:
    """One refused record: what settling it means for the bill, and the form to do it."""
    return _confirm(request, viewer, _foreseen(request, viewer, meter_id, refused_id))


@post(
    "/meters/{meter_id:uuid}/agent/refusals/{refused_id:uuid}/accept",
    sync_to_thread=True,
    request_max_body_size=_MAX_BODY,
)
def accept(
    request: _AnyRequest, viewer: SignedIn, meter_id: FromPath[UUID], refused_id: FromPath[UUID], data: _Body
) -> Redirect | Template:
    """Settle it, and store what waits behind."""
    known, sent = _agent(request, viewer, meter_id), texts(data)
    if errors := lacking(sent, most=LONGEST_WHY):
        return _confirm(request, viewer, _foreseen(request, viewer, meter_id, refused_id), sent, errors)
    done = settle_one(_database(request), known, refused_id, why=sent[WHY], by=viewer.name, now=now())
    stored = "1 record" if done.stored == 1 else f"{done.stored} records"
    told = f"The gap is accepted; {stored} behind it were stored." if done.gap else "It is noted; no bill changes."
    return shell.back_to(request, f"/meters/{meter_id}/agent", told)


@get("/meters/{meter_id:uuid}/agent/note", sync_to_thread=True)
def note(request: _AnyRequest, viewer: SignedIn, meter_id: FromPath[UUID]) -> Template:
    """The form to settle at once all that nothing waits for."""
    return _confirm(request, viewer, _to_note(request, viewer, meter_id))


@post("/meters/{meter_id:uuid}/agent/note/confirm", sync_to_thread=True, request_max_body_size=_MAX_BODY)
def note_all(request: _AnyRequest, viewer: SignedIn, meter_id: FromPath[UUID], data: _Body) -> Redirect | Template:
    """Settle all that nothing waits for."""
    known, sent = _agent(request, viewer, meter_id), texts(data)
    if errors := lacking(sent, most=LONGEST_WHY):
        return _confirm(request, viewer, _to_note(request, viewer, meter_id), sent, errors)
    count = settle_all(_database(request), known, why=sent[WHY], by=viewer.name, now=now())
    return shell.back_to(request, f"/meters/{meter_id}/agent", f"{count} refused records are noted; no bill changes.")


@get("/meters/{meter_id:uuid}/agent/revoke", sync_to_thread=True)
def revoking(request: _AnyRequest, viewer: SignedIn, meter_id: FromPath[UUID]) -> Template:
    """The form to revoke the agent's key."""
    return _confirm(request, viewer, revoke_page(_meter(request, viewer, meter_id)))


@post("/meters/{meter_id:uuid}/agent/revoke/confirm", sync_to_thread=True, request_max_body_size=_MAX_BODY)
def revoke(request: _AnyRequest, viewer: SignedIn, meter_id: FromPath[UUID], data: _Body) -> Redirect | Template:
    """Trust the agent no more."""
    known, sent = _agent(request, viewer, meter_id), texts(data)
    if errors := lacking(sent, most=MAX_REASON):
        return _confirm(request, viewer, revoke_page(_meter(request, viewer, meter_id)), sent, errors)
    # As worker: of an agent's row its owner may write nothing. That it is the owner was looked at above.
    with _database(request).transaction(Role.WORKER) as session:
        revoke_agent(known.meter_serial, sent[WHY], store=MeteringStore(session), now=now())
    return shell.back_to(request, f"/meters/{meter_id}/agent", "The key is revoked: nothing of it is taken any more.")


def _confirm(
    request: _AnyRequest,
    viewer: Viewer,
    page: Confirming,
    sent: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Template:
    """The page before a decision; with `errors` as it was sent."""
    view = page if sent is None else page.sent(Filled(sent, errors or {}))
    status = 422 if errors else 200
    return shell.page(request, "confirm.html", view, viewer=viewer, here="/maker", status=status)


def _page(session: Session, machine: Machine, meter: Meter) -> AgentPage:
    metering, refusals = MeteringStore(session), RefusalStore(session)
    known = metering.agent_of(meter.id)
    head = metering.heads([meter.id]).get(meter.id)
    kept = refusals.kept_aside(meter.id, most=_MOST_COUNTED)
    end = refusals.chain_end(known.id) if known else 0
    passed = metering.passed(known.id, end) if known else []
    found = Refusals(kept, len(kept), end, passed, refusals.settled(meter.id))
    return agent_page(machine, meter, known, found, heard_at=head.heard_at if head else None, now=now())


def _foreseen(request: _AnyRequest, viewer: Viewer, meter_id: UUID, refused_id: UUID) -> Confirming:
    known, meter = _agent(request, viewer, meter_id), _meter(request, viewer, meter_id)
    # As worker: what waits behind is tried on the chain under the agent's lock, which its owner may not take.
    with _database(request).transaction(Role.WORKER) as session:
        metering = MeteringStore(session)
        told = foresee(known, refused_id, refusals=RefusalStore(session), metering=metering)
        return accept_page(meter, told, metering.machine(meter.machine_id).zone)


def _to_note(request: _AnyRequest, viewer: Viewer, meter_id: UUID) -> Confirming:
    only(viewer, "maker")
    with _looking(request, viewer) as session:
        machine, meter = _owned(session, viewer, meter_id)
        return note_page(meter, _page(session, machine, meter).noted)


def _agent(request: _AnyRequest, viewer: Viewer, meter_id: UUID) -> Agent:
    """The agent of a meter of the viewer's own. UnknownMeter, Problem."""
    meter = _meter(request, viewer, meter_id)
    with _looking(request, viewer) as session:
        found = MeteringStore(session).agent_of(meter.id)
    if found is None:
        raise Problem(404, "No agent", f"No agent is enrolled for meter {meter.serial}.", "Enrol one first.")
    return found


def _meter(request: _AnyRequest, viewer: Viewer, meter_id: UUID) -> Meter:
    only(viewer, "maker")
    with _looking(request, viewer) as session:
        return _owned(session, viewer, meter_id)[1]


def _owned(session: Session, viewer: Viewer, meter_id: UUID) -> tuple[Machine, Meter]:
    metering = MeteringStore(session)
    meter = metering.meter(meter_id)
    if meter.owner_id != viewer.organisation_id:
        raise UnknownMeter(f"no meter {meter_id} of yours")
    return metering.machine(meter.machine_id), meter


def _looking(request: _AnyRequest, viewer: Viewer) -> Any:
    return _database(request).transaction(Role.APP, party=viewer.organisation_id)


def _database(request: _AnyRequest) -> Database:
    found: Database = request.app.state.database
    return found


route_handlers = [agent, refusal, accept, note, note_all, revoking, revoke]
