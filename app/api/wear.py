"""A machine's wear and components, for its owner: read as data, and told as JSON with every wrong field named."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, RawBody

from app import clock
from app.database import Database, Role, Session
from app.problems import Problem
from app.security import SignedIn, Viewer, only
from app.wear import Asked, end_of, owned, wear_of
from app.wear_data import history_data, wear_data
from metering.components import record
from metering.components.component import What
from metering.components.fields import ComponentRefused, refusal
from metering.components.record import Recorded, Teller
from metering.components.store import ComponentStore
from metering.components.told import fitting, told

# One method a path: where two handlers of one path run in threads, litestar wraps the first of them twice.
_MAX_BODY = 64 * 1024
_USUAL = timedelta(days=30)
_Answer = Response[dict[str, Any]]


@get("/api/machines/{machine_id:uuid}/wear", sync_to_thread=True)
def wear(
    request: Request[Any, Any, State],
    viewer: SignedIn,
    machine_id: FromPath[UUID],
    start: FromQuery[str] = "",
    until: FromQuery[str] = "",
    known_on: FromQuery[str] = "",
) -> dict[str, Any]:
    """Each component's life, the period's share by lease (the last 30 days unless given), and what may be left."""
    only(viewer, "maker")
    with _session(request, viewer, as_of_one_moment=True) as session:
        machine = owned(session, viewer.organisation_id, machine_id)
        found = wear_of(session, machine, Asked(start, until, known_on), usual=_USUAL, now=clock.now())
    return wear_data(found)


@get("/api/machines/{machine_id:uuid}/components", sync_to_thread=True)
def components(
    request: Request[Any, Any, State], viewer: SignedIn, machine_id: FromPath[UUID], known_on: FromQuery[str] = ""
) -> dict[str, Any]:
    """Every component with all that was told of it, as known now or on a past day."""
    only(viewer, "maker")
    with _session(request, viewer) as session:
        machine = owned(session, viewer.organisation_id, machine_id)
        known_at = end_of(known_on, machine.zone) if known_on else None
        found = [history.known(known_at) for history in ComponentStore(session).histories(machine.id)]
    return {"components": [history_data(history) for history in found if history.entries]}


@post(
    "/api/machines/{machine_id:uuid}/components/set",
    status_code=200,
    sync_to_thread=True,
    request_max_body_size=_MAX_BODY,
)
def tell_component(
    request: Request[Any, Any, State], viewer: SignedIn, machine_id: FromPath[UUID], body: RawBody
) -> _Answer:
    """A component, a version of its parameters, or a piece fitted, as a components file says it; the same again is no
    news."""

    def verb(given: object, teller: Teller, store: ComponentStore) -> Recorded:
        return record.set_component(told(given), teller=teller, store=store)

    return _recorded(request, viewer, machine_id, body, verb)


@post(
    "/api/machines/{machine_id:uuid}/components/{component_id:uuid}/entries",
    status_code=200,
    sync_to_thread=True,
    request_max_body_size=_MAX_BODY,
)
def tell_entry(
    request: Request[Any, Any, State],
    viewer: SignedIn,
    machine_id: FromPath[UUID],
    component_id: FromPath[UUID],
    body: RawBody,
) -> _Answer:
    """Another piece was fitted (`what` "fitted", `fitted_at`, `serial`, `used_share`), or an entry is taken back
    (`what` "withdrawn", `withdraws`); with `why`."""

    def verb(given: object, teller: Teller, store: ComponentStore) -> Recorded:
        data = given if isinstance(given, dict) else {}
        what, why = data.get("what"), data.get("why") or ""
        if what == What.FITTED.value:
            return record.fit(component_id, fitting(data), why, teller=teller, store=store)
        number = data.get("withdraws")
        if what != What.WITHDRAWN.value or not isinstance(number, int) or isinstance(number, bool):
            raise refusal("what", 'write "fitted" with fitted_at, or "withdrawn" with the entry\'s number as withdraws')
        return record.withdraw(component_id, number, why, teller=teller, store=store)

    return _recorded(request, viewer, machine_id, body, verb)


def _recorded(
    request: Request[Any, Any, State],
    viewer: Viewer,
    machine_id: UUID,
    body: bytes,
    verb: Callable[[object, Teller, ComponentStore], Recorded],
) -> _Answer:
    only(viewer, "maker")
    given = _json(request, body)
    try:
        with _session(request, viewer) as session:
            machine = owned(session, viewer.organisation_id, machine_id)
            done = verb(given, Teller(machine, viewer.name, clock.now()), ComponentStore(session))
    except ComponentRefused as refused:
        return _refused(refused)
    return Response({**history_data(done.history), "recorded": [entry.number for entry in done.new]})


def _json(request: Request[Any, Any, State], body: bytes) -> object:
    """The body, its numbers exact. A form of another site cannot send this content type."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "Not sent as JSON", "This is told in JSON.", "Send it as application/json.")
    try:
        return json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise Problem(400, "No JSON", "The body is no JSON.", "Send one object.") from None


def _refused(refused: ComponentRefused) -> _Answer:
    body = {
        "type": "about:blank",
        "title": "Not recorded",
        "status": 422,
        "detail": str(refused),
        "what_to_do": "Put right what is named, then send it again.",
        "fields": [{"field": problem.field, "message": problem.message} for problem in refused.problems],
    }
    return Response(body, status_code=422, media_type="application/problem+json")


@contextmanager
def _session(request: Request[Any, Any, State], viewer: Viewer, *, as_of_one_moment: bool = False) -> Iterator[Session]:
    database: Database = request.app.state.database
    with database.transaction(Role.APP, party=viewer.organisation_id, as_of_one_moment=as_of_one_moment) as session:
        yield session


route_handlers = [wear, components, tell_component, tell_entry]
