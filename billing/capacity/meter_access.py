"""What a booking opens on its machine's meters: a view for the lessee, and sessions cut at its begin and end."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from billing.capacity.booking import Booking
from metering.fitting import Fitting
from metering.machine import Meter
from metering.period import Period


class MeterAccess(Protocol):
    """What booking needs of metering's store: let the lessee see what the meter measures in its slot, and have a
    session cut there."""

    def fittings(self, meter_id: UUID) -> Sequence[Fitting]: ...

    def grant_access(
        self, meter: Meter, party: UUID, during: Period | tuple[datetime, None], *, reason: str, now: datetime
    ) -> None: ...

    def plan_session(self, meter: Meter, session: str, party: UUID, during: Period, *, now: datetime) -> None: ...


def open_meter(booking: Booking, meter_id: UUID, *, metering: MeterAccess, now: datetime) -> None:
    """Let the lessee see what the machine's meters measure in the slot, and have sessions cut there."""
    for fitting in metering.fittings(meter_id):
        part = fitting.during(booking.slot)
        if part is not None:
            metering.grant_access(fitting.meter, booking.lessee_id, part, reason=str(booking.id), now=now)
            metering.plan_session(fitting.meter, str(booking.id), booking.lessee_id, part, now=now)
