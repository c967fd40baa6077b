"""Whose books a command is about: by name or id, or the only ones there are."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from app.database import Session
    from metering.parties.party import Organisation
    from metering.parties.store import PartyStore


class WhoseBooks(LookupError):
    """Say by --owner whose books are meant: the name or id of an organisation."""


@contextmanager
def books() -> Iterator["Session"]:
    """The service's database at one moment, as it stands when the command begins; nothing can be written."""
    from app import settings
    from app.database import Role
    from app.telemetry import opened

    with (
        opened(settings.load()) as database,
        database.transaction(Role.ANALYST, as_of_one_moment=True) as session,
    ):
        yield session


def owner_of(session: "Session", told: str | None) -> "Organisation":
    """The organisation whose books are meant. Raises WhoseBooks, UnknownParty."""
    from billing.accounting.store import LedgerStore
    from metering.parties.store import PartyStore

    parties = PartyStore(session)
    if told is not None:
        return _named(parties, told)
    owners = LedgerStore(session).owners()
    if len(owners) != 1:
        names = ", ".join(sorted(parties.organisation(owner).name for owner in owners)) or "there are none yet"
        raise WhoseBooks(f"say by --owner whose books are meant: {names}")
    return parties.organisation(owners[0])


def _named(parties: "PartyStore", told: str) -> "Organisation":
    try:
        return parties.organisation(UUID(told))
    except ValueError:
        pass
    found = [party for party in parties.organisations() if party.name.casefold() == told.casefold()]
    if len(found) != 1:
        raise WhoseBooks(f"{len(found)} organisations are called {told!r}: give one's id, or its whole name")
    return found[0]
