"""Replacements of meters: their rows and values, and a place's usage over all of its meters."""

from datetime import datetime
from uuid import UUID

from sqlmodel import col, select

from metering.fitting import Fitting, Replacement, fittings
from metering.period import Period
from metering.store_machines import MachineStore
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
        """The meters of this one's place, in order of time, as known now or at a past moment; see `fitting`."""
        meter = self.meter(meter_id)
        meters = {each.id: each for each in self.meters(meter.machine_id)}
        row = MeterReplacementRow
        query = select(row).where(col(row.new_meter_id).in_(list(meters)))
        if known_at is not None:
            query = query.where(row.recorded_at <= known_at)
        rows = self._session.exec(query)
        return fittings(
            meter, [Replacement(meters[r.old_meter_id], meters[r.new_meter_id], r.at, r.reason) for r in rows]
        )

    def place_usage(self, meter_id: UUID, period: Period, *, known_at: datetime | None = None) -> list[Usage]:
        """The usage of a meter's place in `period`: of this meter and those before and after it, each in its time."""
        return [
            row
            for fitting in self.fittings(meter_id, known_at=known_at)
            for row in self.usage(fitting.meter.id, period, known_at=known_at)
            if fitting.counts(row)
        ]
