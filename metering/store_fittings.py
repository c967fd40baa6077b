"""Replacements of meters: their rows and values, and a place's usage over all of its meters."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from metering.fitting import Fitting, Replacement, fittings
from metering.machine import Meter
from metering.period import Period
from metering.quick import METERS_BESIDE, run
from metering.store_machines import MachineStore, UnknownMeter
from metering.store_usage import UsageStore
from metering.tables_fittings import MeterReplacementRow
from metering.usage import Usage


class FittingStore(MachineStore, UsageStore):
    """Which meter is on a machine when. Replacements are told by the worker and never change."""

    def add_replacement(self, told: Replacement, *, now: datetime) -> None:
        """Put it on record."""
        row = MeterReplacementRow(
            new_meter_id=told.new.id,
            old_meter_id=told.old.id,
            owner_id=told.new.owner_id,
            at=told.at,
            reason=told.reason,
            recorded_at=now,
        )
        self._session.add(row)
        self._session.flush()

    def fittings(self, meter_id: UUID, *, known_at: datetime | None = None) -> list[Fitting]:
        """The meters of this one's place, in order of time, as known now or at a past moment; see `fitting`.

        Asked for each machine of a fleet, so one statement by the driver itself. Raises UnknownMeter.
        """
        rows = run(self._session, METERS_BESIDE, [known_at, meter_id])
        meters = {row[0]: _meter(row) for row in rows}
        if meter_id not in meters:
            raise UnknownMeter(f"no meter {meter_id} that you may see")
        # Who may see a meter need not see the one before it.
        told = [row[6:] for row in rows if row[6] in meters]
        return fittings(
            meters[meter_id], [Replacement(meters[old], meters[new], at, reason) for old, new, at, reason in told]
        )

    def place_usage(self, meter_id: UUID, period: Period, *, known_at: datetime | None = None) -> list[Usage]:
        """The usage of a meter's place in `period`: of this meter and those before and after it, each in its time."""
        return [
            row
            for fitting in self.fittings(meter_id, known_at=known_at)
            for row in self.usage(fitting.meter.id, period, known_at=known_at)
            if fitting.counts(row)
        ]


def _meter(row: Sequence[Any]) -> Meter:
    number, machine, owner, serial, codes, spindles, *_ = row
    return Meter(
        id=number,
        machine_id=machine,
        owner_id=owner,
        serial=serial,
        register_codes=tuple(codes),
        spindles=tuple(spindles),
    )
