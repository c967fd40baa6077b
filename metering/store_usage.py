"""Usage by quarter hour, append-only: a complete quarter hour's figures are superseded, never changed."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, SQLModel, col, select, update

from metering.layout import Layout
from metering.period import QUARTER_HOUR, Period, quarter_start
from metering.tables import AgentRow, MeterRow, UsageRow
from metering.usage import Usage

# The bare table: what is written here must not be remembered by the session.
_USAGE = SQLModel.metadata.tables["usage"]
_FIGURES = (
    "from_at",
    "until_at",
    "deltas",
    "spectrum_cells",
    "spectrum_ms",
    "substitute",
    "replayed",
    "first_sequence",
    "last_sequence",
)


class UsageStore:
    """What was used, as far as the session's role and party may see it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def usage(self, meter_id: UUID, period: Period, *, known_at: datetime | None = None) -> list[Usage]:
        """The quarter hours that begin in `period`, as known now or as they were known at a past moment."""
        row = UsageRow
        begins = (col(row.starts_at) >= period.start, col(row.starts_at) < period.end)
        known = (
            [col(row.superseded_at).is_(None)]
            if known_at is None
            else [
                col(row.recorded_at) <= known_at,
                or_(col(row.superseded_at).is_(None), col(row.superseded_at) > known_at),
            ]
        )
        query = select(row).where(row.meter_id == meter_id, *begins, *known).order_by(col(row.starts_at))
        codes, spindles, serial = self._session.exec(
            select(MeterRow.register_codes, MeterRow.spindles, MeterRow.serial).where(MeterRow.id == meter_id)
        ).one()
        layout = Layout(tuple(codes), tuple(spindles))
        return [_usage(found, layout, serial) for found in self._session.exec(query)]

    def lock_meter(self, meter_id: UUID) -> None:
        """Wait for, and keep out, whoever else stores readings or usage of this meter."""
        self._session.exec(select(AgentRow.id).where(AgentRow.meter_id == meter_id).with_for_update()).all()

    def put_usage(
        self,
        meter_id: UUID,
        owner_id: UUID,
        usages: Iterable[Usage],
        *,
        layout: Layout,
        complete_until: datetime | None,
        now: datetime,
    ) -> None:
        """Make `usages` the meter's current figures; one that ends after `complete_until` stays open (None: none does).

        An open one is replaced in place, as nothing may be billed on it; a complete one is superseded when it differs.
        """
        figures = {quarter_start(usage.period.start): _figures(usage, layout) for usage in usages}
        if not figures:
            return
        current = self._current(meter_id, min(figures), max(figures))
        fresh: list[dict[str, Any]] = []
        common = {"meter_id": meter_id, "owner_id": owner_id, "recorded_at": now}
        for starts_at, values in figures.items():
            is_open = complete_until is not None and starts_at + QUARTER_HOUR > complete_until
            there = current.get(starts_at)
            if there is None:
                fresh.append({**common, **values, "starts_at": starts_at, "revision": 1, "is_open": is_open})
            elif there.is_open:
                self._change(there, {**values, "is_open": is_open, "recorded_at": now})
            elif _differs(there, values):
                self._change(there, {"superseded_at": now})
                revision = there.revision + 1
                fresh.append({**common, **values, "starts_at": starts_at, "revision": revision, "is_open": is_open})
        if fresh:
            self._session.execute(insert(_USAGE), fresh)

    def _current(self, meter_id: UUID, first: datetime, last: datetime) -> dict[datetime, Any]:
        of_meter = (_USAGE.c.meter_id == meter_id, _USAGE.c.superseded_at.is_(None))
        query = select(*_USAGE.c).where(*of_meter, _USAGE.c.starts_at >= first, _USAGE.c.starts_at <= last)
        return {found.starts_at: found for found in self._session.execute(query)}

    def _change(self, there: Any, values: dict[str, Any]) -> None:
        key = (_USAGE.c.meter_id, _USAGE.c.starts_at, _USAGE.c.revision)
        same = [column == getattr(there, column.name) for column in key]
        self._session.execute(update(_USAGE).where(*same).values(**values))


def _figures(usage: Usage, layout: Layout) -> dict[str, Any]:
    cells, ms = layout.cells(usage.spectrum)
    values = (usage.period.start, usage.period.end, layout.values(usage.deltas), cells, ms)
    return dict(zip(_FIGURES, (*values, usage.substitute, usage.replayed, *usage.evidence), strict=True))


def _differs(row: Any, values: dict[str, Any]) -> bool:
    """A later layout only adds registers at the end: zeros there change nothing."""
    stored = {name: getattr(row, name) for name in _FIGURES}
    stored["deltas"] = stored["deltas"] + [0] * (len(values["deltas"]) - len(stored["deltas"]))
    return stored != values


def _usage(row: UsageRow, layout: Layout, serial: str) -> Usage:
    return Usage(
        meter=serial,
        period=Period(row.from_at, row.until_at),
        deltas=layout.registers(row.deltas),
        spectrum=layout.spectrum(row.spectrum_cells, row.spectrum_ms),
        substitute=row.substitute,
        replayed=row.replayed,
        evidence=(row.first_sequence, row.last_sequence),
    )
