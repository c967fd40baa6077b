"""A bundle's readings by meter, and each machine's usage from them."""

import contextlib
from collections.abc import Mapping, Sequence

from billing.capacity.machine_use import MachineUse
from billing.invoicing.evidence import Case
from metering.audit import Audited
from metering.ocmf import OcmfError, parse


def by_meter(texts: Sequence[str]) -> dict[str, list[str]]:
    """The texts of each meter, in their order; one that cannot be read goes with the one before it."""
    found: dict[str, list[str]] = {}
    meter = ""
    for text in texts:
        with contextlib.suppress(OcmfError):
            meter = parse(text).record.meter
        found.setdefault(meter, []).append(text)
    return found


def uses_of(case: Case, audited: Mapping[str, Audited]) -> list[MachineUse]:
    """Each machine's usage, meter after meter, with the bookings that bound it there."""
    return [
        MachineUse(
            machine,
            [
                row
                for meter in case.meters
                if meter.machine == machine and meter.serial in audited
                for row in audited[meter.serial].usage
                if case.invoice.period.covers(row.period) and meter.counts(row)
            ],
            [booking for booking in case.bookings if booking.machine_id == machine],
        )
        for machine in dict.fromkeys(meter.machine for meter in case.meters)
    ]
