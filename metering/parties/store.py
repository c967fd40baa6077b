"""Where party values and their rows meet."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from metering.parties.party import Organisation, UserAccount, UserRole, plain_email
from metering.parties.tables import AcquaintanceRow, OrganisationRow, UserAccountRow

_ORGANISATION = ("id", "name", "street", "postcode", "city", "country", "vat_id", "email", "iban", "zone")
_USER = ("id", "organisation_id", "email", "name", "role", "password_hash")


class UnknownParty(LookupError):
    """There is no such organisation, or it is not yours to see."""


class PartyStore:
    """Organisations and users, as far as the session's role and party may see them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add_organisation(self, organisation: Organisation, *, now: datetime) -> None:
        """Store it; one with the same id is brought up to date."""
        values = {name: getattr(organisation, name) for name in _ORGANISATION}
        statement = insert(OrganisationRow).values(**values, recorded_at=now)
        self._session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))

    def organisation(self, organisation_id: UUID) -> Organisation:
        row = self._session.get(OrganisationRow, organisation_id)
        if row is None:
            raise UnknownParty(f"no organisation {organisation_id} that you may see")
        return _organisation(row)

    def organisations(self) -> list[Organisation]:
        """All that may be seen, by name."""
        rows = self._session.exec(select(OrganisationRow).order_by(OrganisationRow.name, col(OrganisationRow.id)))
        return [_organisation(row) for row in rows]

    def add_user(self, user: UserAccount, *, now: datetime) -> None:
        """Store them; one with the same id is brought up to date."""
        values = {name: getattr(user, name) for name in _USER}
        statement = insert(UserAccountRow).values(**values, recorded_at=now)
        self._session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))

    def user_by_email(self, email: str) -> UserAccount | None:
        """For sign-in: needs the worker's role, because nobody's party is known before."""
        row = self._session.exec(select(UserAccountRow).where(UserAccountRow.email == plain_email(email))).first()
        return _user(row) if row else None

    def users(self) -> list[UserAccount]:
        """All users that may be seen, by e-mail address."""
        return [_user(row) for row in self._session.exec(select(UserAccountRow).order_by(UserAccountRow.email))]

    def introduce(self, first: UUID, second: UUID) -> None:
        """Let two organisations see each other's names before a row names them both; needs the worker's role."""
        pairs: Iterable[tuple[UUID, UUID]] = ((first, second), (second, first))
        rows = [{"organisation_id": one, "known_id": other} for one, other in pairs]
        self._session.execute(insert(AcquaintanceRow).values(rows).on_conflict_do_nothing())


def _organisation(row: OrganisationRow) -> Organisation:
    return Organisation(**{name: getattr(row, name) for name in _ORGANISATION})


def _user(row: UserAccountRow) -> UserAccount:
    return UserAccount(
        id=row.id,
        organisation_id=row.organisation_id,
        email=row.email,
        name=row.name,
        role=UserRole(row.role),
        password_hash=row.password_hash,
    )
