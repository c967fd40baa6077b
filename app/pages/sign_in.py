"""Signing in and out."""

from dataclasses import dataclass
from typing import Any

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.params import URLEncodedBody
from litestar.response import Redirect, Template

from app.database import Database, Role
from app.security import NotSignedIn, Viewer, viewer_of
from metering.parties.party import InvalidParty
from metering.parties.password import matches
from metering.parties.store import PartyStore


@dataclass(frozen=True, slots=True)
class Credentials:
    email: str
    password: str


@get("/", sync_to_thread=False)
def home(request: Request[Any, Any, State]) -> Redirect:
    """Everybody's own first page."""
    try:
        return Redirect(viewer_of(request).home, status_code=303)
    except NotSignedIn:
        return Redirect("/sign-in", status_code=303)


@get("/sign-in", sync_to_thread=False)
def form() -> Template:
    return Template("sign_in.html", context={"email": ""})


@post("/sign-in", sync_to_thread=True)
def sign_in(
    request: Request[Any, Any, State],
    data: URLEncodedBody[Credentials],
) -> Redirect | Template:
    """Begin a session; a wrong address and a wrong password are told apart to nobody."""
    viewer = _find(request.app.state.database, data)
    if viewer is None:
        error = "This e-mail address and password do not belong together. Check both and try again."
        return Template("sign_in.html", context={"email": data.email, "error": error}, status_code=401)
    request.set_session(viewer.to_session())
    return Redirect(viewer.home, status_code=303)


@post("/sign-out", sync_to_thread=False)
def sign_out(request: Request[Any, Any, State]) -> Redirect:
    request.clear_session()
    return Redirect("/sign-in", status_code=303)


def _find(database: Database, credentials: Credentials) -> Viewer | None:
    # As worker: before the password is checked there is no party to see rows for.
    with database.transaction(Role.WORKER) as session:
        store = PartyStore(session)
        try:
            user = store.user_by_email(credentials.email)
        except InvalidParty:
            user = None
        if not matches(credentials.password, user.password_hash if user else None) or user is None:
            return None
        organisation = store.organisation(user.organisation_id)
    return Viewer(user.id, user.organisation_id, user.role.value, user.name, organisation.name)


route_handlers = [home, form, sign_in, sign_out]
