"""Who is looking: sign-in sessions, form tokens and the headers every page is sent with."""

import contextlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from litestar import Request
from litestar.config.csrf import CSRFConfig
from litestar.di import NamedDependency
from litestar.middleware.session.client_side import CookieBackendConfig

from metering import signing

SESSION_SECONDS = 12 * 3600
_SECRET_BYTES = 32


# No inline script or style anywhere, nothing from another host; hosted card payment is a redirect, not a frame.
def headers(checkout_origin: str) -> dict[str, str]:
    """Headers of every answer; a form may lead to ourselves and to the card checkout at `checkout_origin`."""
    return {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
            f"font-src 'self'; form-action 'self' {checkout_origin}; base-uri 'none'; frame-ancestors 'none'"
        ),
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
    }


class NotSignedIn(Exception):
    """Sign in first."""


class NotAllowed(Exception):
    """This page belongs to another kind of user; sign in as one of them."""


@dataclass(frozen=True, slots=True)
class Link:
    """An entry of the main navigation."""

    path: str
    label: str


_LINKS = {
    "maker": (Link("/maker", "Fleet"), Link("/completeness", "Completeness"), Link("/invoices", "Invoices")),
    "sme": (Link("/sme", "My capacity"), Link("/invoices", "Invoices")),
    "finance": (
        Link("/finance", "Reconcile"),
        Link("/completeness", "Completeness"),
        Link("/invoices", "Invoices"),
    ),
}


@dataclass(frozen=True, slots=True)
class Viewer:
    """The signed-in person: pages show them their own organisation's rows only."""

    user_id: UUID
    organisation_id: UUID
    role: str
    name: str
    organisation: str

    @property
    def links(self) -> tuple[Link, ...]:
        return _LINKS.get(self.role, ())

    @property
    def home(self) -> str:
        return self.links[0].path if self.links else "/sign-in"

    def to_session(self) -> dict[str, str]:
        return {
            "user_id": str(self.user_id),
            "organisation_id": str(self.organisation_id),
            "role": self.role,
            "name": self.name,
            "organisation": self.organisation,
        }

    @classmethod
    def from_session(cls, session: dict[str, str]) -> "Viewer":
        return cls(
            user_id=UUID(session["user_id"]),
            organisation_id=UUID(session["organisation_id"]),
            role=session["role"],
            name=session["name"],
            organisation=session["organisation"],
        )


def viewer_of(request: Request[Any, Any, Any]) -> Viewer:
    """The signed-in viewer; `NotSignedIn` when there is none."""
    if "user_id" not in request.session:
        raise NotSignedIn
    return Viewer.from_session(request.session)


SignedIn = NamedDependency[Viewer]
"""The viewer as a handler's parameter: its request is answered only for somebody who is signed in."""


def maybe_viewer(request: Request[Any, Any, Any]) -> Viewer | None:
    """The signed-in viewer where there is one, for pages that everybody may see."""
    session = request.scope.get("session")
    return Viewer.from_session(session) if isinstance(session, dict) and "user_id" in session else None


def only(viewer: Viewer, *roles: str) -> None:
    """Refuse a viewer whose role is not among `roles`."""
    if viewer.role not in roles:
        raise NotAllowed


def session_config(secret: bytes, *, over_https: bool) -> CookieBackendConfig:
    """Encrypted session cookie: http-only, same-site, gone after half a day."""
    return CookieBackendConfig(
        secret=secret,
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="lax",
        secure=over_https,
        key="spindleshare",
        exclude=["^/static/"],
    )


def csrf_config(secret: bytes, *, over_https: bool) -> CSRFConfig:
    """A token in every form; the API under /api proves itself by its own signatures and tokens."""
    return CSRFConfig(
        secret=secret.hex(),
        cookie_name="spindleshare-form",
        cookie_httponly=True,
        cookie_secure=over_https,
        exclude=["^/api/", "^/static/"],
    )


def load_secret(file: Path) -> bytes:
    """The installation's session secret; made on first use, readable by its owner only."""
    return _made_once(file, lambda: secrets.token_bytes(_SECRET_BYTES))


def load_key(file: Path) -> signing.PrivateKey:
    """The platform's key, which signs evidence bundles; made on first use like the secret. Raises BadKey."""
    pem = _made_once(file, lambda: signing.private_to_pem(signing.new_key()).encode())
    return signing.private_from_pem(pem.decode())


def _made_once(file: Path, make: Callable[[], bytes]) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
        temporary.touch(mode=0o600)
        temporary.write_bytes(make())
        # Where another process was first, both must use the one that is there.
        with contextlib.suppress(FileExistsError):
            file.hardlink_to(temporary)
        temporary.unlink()
        return file.read_bytes()
