"""A lease's machines with their use, from what is stored."""

from datetime import datetime

from billing.capacity.lease import Lease
from billing.capacity.machine_use import MachineUse, each_once
from billing.capacity.store import LeasingStore
from metering.period import Period
from metering.store import MeteringStore


def machine_uses(
    lease: Lease,
    period: Period,
    *,
    leasing: LeasingStore,
    metering: MeteringStore,
    known_at: datetime | None = None,
) -> list[MachineUse]:
    """The use of each machine that the lease has run on, in `period`; as known now or at a past moment.

    Needs the worker's role, since other parties' bookings bound this one's: check first that the user may see `lease`.
    """
    return [
        MachineUse(
            place.machine_id,
            metering.place_usage(place.meter_id, period, known_at=known_at),
            leasing.bookings_of_machine(place.machine_id, period, known_at=known_at),
        )
        for place in each_once(leasing.machines_of(lease, known_at=known_at))
    ]
