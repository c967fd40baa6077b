"""Usage by quarter hour, append-only: a complete quarter hour's figures are superseded, never changed."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_
from sqlmodel import Session, col, select

from metering.layout import Layout
from metering.period import QUARTER_HOUR, Period, quarter_start
from metering.quick import ADD_USAGE, CURRENT_USAGE, GROW_USAGE, SUPERSEDE_USAGE, USAGE_FIGURES, run, run_many
from metering.tables import AgentRow, MeterRow, UsageRow
from metering.usage import Usage

_DELTAS = USAGE_FIGURES.split(", ").index("deltas")


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
        rows = self._session.exec(query).all()
        # After the rows: a layout only grows, so the later one fits rows that came in between, an earlier one may not.
        codes, spindles, serial = self._session.exec(
            select(MeterRow.register_codes, MeterRow.spindles, MeterRow.serial).where(MeterRow.id == meter_id)
        ).one()
        layout = Layout(tuple(codes), tuple(spindles))
        return [_usage(found, layout, serial) for found in rows]

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
        fresh: list[list[Any]] = []
        for starts_at, values in figures.items():
            is_open = complete_until is not None and starts_at + QUARTER_HOUR > complete_until
            revision, was_open, known = current.get(starts_at, (0, False, []))
            key = [meter_id, starts_at, revision]
            if was_open:
                run(self._session, GROW_USAGE, [now, is_open, *values, *key])
            elif not revision or _differ(known, values):
                if revision:
                    run(self._session, SUPERSEDE_USAGE, [now, *key])
                fresh.append([meter_id, owner_id, now, starts_at, revision + 1, is_open, *values])
        if fresh:
            run_many(self._session, ADD_USAGE, fresh)

    def _current(self, meter_id: UUID, first: datetime, last: datetime) -> dict[datetime, tuple[int, bool, list[Any]]]:
        """Revision, openness and figures of the current rows."""
        rows = run(self._session, CURRENT_USAGE, [meter_id, first, last])
        return {starts_at: (revision, is_open, figures) for starts_at, revision, is_open, *figures in rows}


def _figures(usage: Usage, layout: Layout) -> list[Any]:
    """In the order of USAGE_FIGURES."""
    cells, ms = layout.cells(usage.spectrum)
    period = usage.period
    flags = (usage.substitute, usage.unsynchronised, usage.replayed)
    return [period.start, period.end, list(layout.values(usage.deltas)), cells, ms, *flags, *usage.evidence]


def _differ(known: list[Any], values: list[Any]) -> bool:
    """A later layout only adds registers at the end: zeros there change nothing."""
    widened = [*known]
    widened[_DELTAS] = known[_DELTAS] + [0] * (len(values[_DELTAS]) - len(known[_DELTAS]))
    return widened != values


def _usage(row: UsageRow, layout: Layout, serial: str) -> Usage:
    return Usage(
        meter=serial,
        period=Period(row.from_at, row.until_at),
        deltas=layout.registers(row.deltas),
        spectrum=layout.spectrum(row.spectrum_cells, row.spectrum_ms),
        substitute=row.substitute,
        replayed=row.replayed,
        evidence=(row.first_sequence, row.last_sequence),
        unsynchronised=row.unsynchronised,
    )
