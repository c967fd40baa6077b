"""The meters that an invoice rests on: of every machine that the lease ran on, before and after a replacement."""

from dataclasses import dataclass
from uuid import UUID

from billing.capacity.machine_use import each_once
from billing.capacity.store import LeasingStore
from billing.invoicing.invoice import Invoice
from metering.fitting import Fitting
from metering.store import MeteringStore


@dataclass(frozen=True, slots=True)
class Metered:
    """A meter on a machine in its time there."""

    machine_id: UUID
    fitting: Fitting

    @property
    def serial(self) -> str:
        return self.fitting.meter.serial


def meters_of(invoice: Invoice, *, leasing: LeasingStore, metering: MeteringStore) -> list[Metered]:
    """In order of time, those that were there in the invoice's period, as known when it was worked out."""
    machines = leasing.machines_of(leasing.lease(invoice.lease), known_at=invoice.known_at)
    return [
        Metered(place.machine_id, fitting)
        for place in each_once(machines)
        for fitting in metering.fittings(place.meter_id, known_at=invoice.known_at)
        if fitting.during(invoice.period)
    ]
