"""Listings, leases and their facts as values."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID, uuid5

from billing.pricing.fees import NEEDS_EVIDENCE, EventKind
from billing.pricing.measured import Event, is_zone
from metering.period import Period

_NAMESPACE = UUID("a4b9f7a0-52a5-5b27-9f3c-0d7c8f4e6b15")


class InvalidLease(ValueError):
    """A lease needs two different parties, a time zone, and an end after its start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A machine that its lessor lets: where its clock stands, which meter counts, by which tariff it is billed."""

    machine_id: UUID
    meter_id: UUID
    meter_serial: str
    lessor_id: UUID
    title: str
    zone: str
    currency: str
    tariff_version_id: UUID
    is_open: bool = True


class LeaseKind(StrEnum):
    """How long a lease runs: with one booking, or until somebody ends it."""

    BOOKING = "booking"
    OPEN_ENDED = "open_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A running right to use one machine, at the tariff version that it pins.

    `zone` is the machine's (bands and days follow its wall clock); `ends` is None while an open-ended lease runs.
    """

    id: UUID
    kind: LeaseKind
    machine_id: UUID
    meter_id: UUID
    meter_serial: str
    lessor_id: UUID
    lessee_id: UUID
    tariff_version_id: UUID
    currency: str
    zone: str
    starts: datetime
    ends: datetime | None = None

    def __post_init__(self) -> None:
        if self.lessor_id == self.lessee_id:
            raise InvalidLease("lessor and lessee are the same organisation")
        if not is_zone(self.zone):
            raise InvalidLease(f"{self.zone!r} is no time zone: give an IANA name such as Europe/Berlin")
        if self.starts.tzinfo is None or (self.ends is not None and self.ends <= self.starts):
            raise InvalidLease("a lease starts at a time with a zone and ends after it")
        if self.kind is LeaseKind.BOOKING and self.ends is None:
            raise InvalidLease("a lease for one booking ends with it")

    def covered(self, period: Period) -> Period | None:
        """The part of `period` in which the lease runs."""
        start = max(self.starts, period.start)
        end = period.end if self.ends is None else min(self.ends, period.end)
        return Period(start, end) if start < end else None


@dataclass(frozen=True, slots=True)
class LeasedMachine:
    """The machine that a lease runs on from `since` on, with its meter as it was then."""

    machine_id: UUID
    meter_id: UUID
    meter_serial: str
    since: datetime
    reason: str = ""


class FactKind(StrEnum):
    """What is recorded about a lease beside its meter's readings."""

    AVAILABILITY = "availability"
    LATE_CANCEL = "late_cancel"
    NO_SHOW = "no_show"
    DAMAGE = "damage"
    SERVICE = "service"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseFact:
    """Something on record that a bill depends on; never changed, a later record of the same kind and time prevails.

    availability: `quantity` is the percentage reached in the billing period that starts at `at`. The others:
    `quantity` units (hours, pieces), at `price` each where the tariff leaves it open. `evidence` names what proves it.
    """

    id: UUID
    lease_id: UUID
    lessor_id: UUID
    lessee_id: UUID
    kind: FactKind
    at: datetime
    quantity: Decimal
    price: Decimal | None = None
    description: str = ""
    evidence: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind is FactKind.AVAILABILITY and not 0 <= self.quantity <= 100:
            raise InvalidLease("availability is a percentage from 0 to 100")
        if self.kind.value in NEEDS_EVIDENCE and not self.evidence:
            raise InvalidLease(f"a {self.kind.value} needs the ids of what proves it")

    def event(self) -> Event:
        """The fact as rating prices it."""
        kind = EventKind(self.kind.value)
        return Event(kind, str(self.id), self.at, self.quantity, self.price, self.description, self.evidence)


def availability(facts: Iterable[LeaseFact], period: Period) -> Decimal | None:
    """The percentage on record for `period`, the last record of it; None when there is none.

    `facts` come in the order in which they were recorded.
    """
    told = [fact.quantity for fact in facts if fact.kind is FactKind.AVAILABILITY and fact.at == period.start]
    return told[-1] if told else None


def events(facts: Iterable[LeaseFact]) -> list[Event]:
    """The facts that may have a price."""
    return [fact.event() for fact in facts if fact.kind is not FactKind.AVAILABILITY]


def lease_id(*key: UUID | datetime | str) -> UUID:
    """The id of the lease with this natural key: machine, lessee, what else tells it apart, start and end if known."""
    parts = (part.astimezone(UTC).isoformat() if isinstance(part, datetime) else str(part) for part in key)
    return uuid5(_NAMESPACE, "/".join(("lease", *parts)))


def swap_id(lease: UUID, at: datetime) -> UUID:
    """The id of the swap of the lease's machine at `at`."""
    return uuid5(_NAMESPACE, f"swap/{lease}/{at.astimezone(UTC).isoformat()}")


def fact_id(lease: UUID, kind: FactKind, at: datetime, reference: str = "") -> UUID:
    """The id of a fact; `reference` tells facts of one kind and time apart."""
    return uuid5(_NAMESPACE, f"fact/{lease}/{kind.value}/{at.astimezone(UTC).isoformat()}/{reference}")
