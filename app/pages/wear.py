"""The maker's page of a machine's wear: each component with its band, who wore it, and the load that it rests on."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import Request, get
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery
from litestar.response import Template

from app.clock import now
from app.database import Database, Role
from app.pages import shell
from app.pages.wear_view import wear_page
from app.security import SignedIn, only
from app.wear import Asked, owned, wear_of

_USUAL = timedelta(days=30)


@get("/machines/{machine_id:uuid}/wear", sync_to_thread=True)
def wear(
    request: Request[Any, Any, State],
    viewer: SignedIn,
    machine_id: FromPath[UUID],
    start: FromQuery[str] = "",
    end: FromQuery[str] = "",
    known_on: FromQuery[str] = "",
) -> Template:
    """The wear at the end of a period and in it; the last 30 days up to the newest reading unless asked otherwise."""
    only(viewer, "maker")
    database: Database = request.app.state.database
    with database.transaction(Role.APP, party=viewer.organisation_id, as_of_one_moment=True) as session:
        machine = owned(session, viewer.organisation_id, machine_id)
        found = wear_of(session, machine, Asked(start, end, known_on), usual=_USUAL, now=now())
    view = wear_page(found, known_on=known_on)
    return shell.page(request, "wear.html", view, viewer=viewer, here="/maker")


route_handlers = [wear]
