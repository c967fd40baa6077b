"""Organisations and their users, as values."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

_NAMESPACE = UUID("6f1d3f0e-3a6b-5f0c-9c1e-2b6a4a0d7c11")


class UserRole(StrEnum):
    """What a user does here: lets machines, uses them, or keeps the books."""

    MAKER = "maker"
    SME = "sme"
    FINANCE = "finance"


class InvalidParty(ValueError):
    """A party's key, e-mail address, country or zone must be well formed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """A legal person: it owns machines, leases them, or both. `zone` (IANA) rules its invoice periods."""

    id: UUID
    name: str
    street: str = ""
    postcode: str = ""
    city: str = ""
    country: str = "DE"
    vat_id: str = ""
    email: str = ""
    iban: str = ""
    zone: str = "Europe/Berlin"

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise InvalidParty("an organisation needs a name")
        if len(self.country) != 2 or not self.country.isupper():
            raise InvalidParty(f"country {self.country!r}: give the two capital letters of ISO 3166")
        try:
            ZoneInfo(self.zone)
        except (ValueError, LookupError, OSError) as error:
            raise InvalidParty(f"zone {self.zone!r}: give an IANA name such as Europe/Berlin") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAccount:
    """A person who signs in for an organisation."""

    id: UUID
    organisation_id: UUID
    email: str
    name: str
    role: UserRole
    password_hash: str

    def __post_init__(self) -> None:
        if self.email != plain_email(self.email):
            raise InvalidParty(f"e-mail address {self.email!r}: store it in its plain form")


def organisation_id(key: str) -> UUID:
    """Id of the organisation with this key (a short name that is the operator's own)."""
    return uuid5(_NAMESPACE, f"organisation:{key}")


def user_id(email: str) -> UUID:
    """Id of the user with this e-mail address."""
    return uuid5(_NAMESPACE, f"user:{plain_email(email)}")


def plain_email(email: str) -> str:
    """The form under which an e-mail address is kept and found."""
    plain = email.strip().lower()
    if plain.count("@") != 1 or plain.startswith("@") or plain.endswith("@"):
        raise InvalidParty(f"{email!r} is no e-mail address")
    return plain
