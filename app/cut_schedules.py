"""Cut schedules on the service's database: the sessions that metering knows of joined with their leases' tariffs."""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

from app.database import Session
from billing.capacity.lease import Lease
from billing.capacity.store import LeasingStore, UnknownLease
from billing.pricing.bands import BandClock
from billing.pricing.store import TariffStore
from metering import session as metered
from metering.issue_schedule import is_due, issue_schedule
from metering.signing import PrivateKey
from metering.store import MeteringStore
from metering.store_schedules import Standing

HEADER = "spindleshare-schedule"
"""The request header in which an agent says the number of the schedule that it has; without it none is given."""
_DIGITS = 12


def known_number(header: str | None) -> int | None:
    """The number in the header's value; None where there is none that can be read."""
    return int(header) if header and header.isascii() and header.isdecimal() and len(header) <= _DIGITS else None


def schedule_in_force(session: Session, meter_id: UUID, *, known: int, key: PrivateKey, now: datetime) -> Standing:
    """The meter's schedule, issued anew where it is due. Needs the worker's role."""
    store = MeteringStore(session)
    standing = store.schedule_standing(meter_id, known=known)
    if standing is not None and not is_due(standing, known=known, now=now):
        return standing
    return issue_schedule(
        store.meter(meter_id),
        known=known,
        changes=lambda sessions: _tariff_changes(session, sessions),
        store=store,
        key=key,
        now=now,
    )


def _tariff_changes(session: Session, sessions: Sequence[metered.Session]) -> Iterator[datetime]:
    """The borders of tariff bands within sessions."""
    clocks = dict[UUID, BandClock]()
    for one in sessions:
        lease = _lease_of(session, one.id)
        if lease is None:
            continue
        if lease.id not in clocks:
            bands = TariffStore(session).version(lease.tariff_version_id).bands
            clocks[lease.id] = BandClock(bands, ZoneInfo(lease.zone))
        parts = clocks[lease.id].split(one.period)
        yield from (later.start for (band, _), (next_band, later) in pairwise(parts) if band != next_band)


def _lease_of(session: Session, metered_session: str) -> Lease | None:
    """The lease of the booking that promised the session, whose id it has; None for one that nobody booked."""
    leasing = LeasingStore(session)
    with contextlib.suppress(ValueError, UnknownLease):
        return leasing.lease(leasing.booking(UUID(metered_session)).lease_id)
    return None
