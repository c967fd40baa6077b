"""Usage by quarter hour, append-only: a complete quarter hour's figures are superseded, never changed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, select

from metering.layout import Layout
from metering.period import QUARTER_HOUR, Period, quarter_start
from metering.quick import (
    CURRENT_USAGE,
    GROW_USAGE,
    SUPERSEDE_USAGE,
    USAGE_FIGURES,
    USAGE_KNOWN_AT,
    USAGE_NOW,
    add_usage,
    array_text,
    run,
)
from metering.tables import AgentRow, MeterRow, UsageRow
from metering.usage import Usage

_DELTAS = USAGE_FIGURES.split(", ").index("deltas")


@dataclass(frozen=True, slots=True)
class Current:
    """The newest revision of a quarter hour's usage, 0 where there is none; `figures` in the order of USAGE_FIGURES."""

    revision: int
    is_open: bool
    figures: list[Any]

    def usage(self, layout: Layout, serial: str) -> Usage:
        """The figures as a value; `layout` may be a later one."""
        return _usage(self.figures, layout, serial)


_NOTHING = Current(0, False, [])


class UsageStore:
    """What was used, as far as the session's role and party may see it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def usage(self, meter_id: UUID, period: Period, *, known_at: datetime | None = None) -> list[Usage]:
        """The quarter hours that begin in `period`, as known now or as they were known at a past moment."""
        self._session.flush()
        bounds = [meter_id, period.start, period.end]
        if known_at is None:
            rows = run(self._session, USAGE_NOW, bounds)
        else:
            rows = run(self._session, USAGE_KNOWN_AT, [*bounds, known_at, known_at])
        # After the rows: a layout only grows, so the later one fits rows that came in between, an earlier one may not.
        codes, spindles, serial = self._session.exec(
            select(MeterRow.register_codes, MeterRow.spindles, MeterRow.serial).where(MeterRow.id == meter_id)
        ).one()
        layout = Layout(tuple(codes), tuple(spindles))
        return [_usage(figures, layout, serial) for figures in rows]

    def lock_meter(self, meter_id: UUID) -> None:
        """Wait for, and keep out, whoever else stores readings or usage of this meter."""
        self._session.exec(select(AgentRow.id).where(AgentRow.meter_id == meter_id).with_for_update()).all()

    def current_usage(self, meter_id: UUID, first: datetime, last: datetime) -> dict[datetime, Current]:
        """What is known now of the quarter hours that start from `first` to `last`."""
        rows = run(self._session, CURRENT_USAGE, [meter_id, first, last])
        return {starts_at: Current(revision, is_open, figures) for starts_at, revision, is_open, *figures in rows}

    def put_usage(
        self,
        meter_id: UUID,
        owner_id: UUID,
        usages: Iterable[Usage],
        *,
        current: Mapping[datetime, Current],
        layout: Layout,
        complete_until: datetime | None,
        now: datetime,
    ) -> None:
        """Make `usages` the meter's current figures; one that ends after `complete_until` stays open (None: none does).

        `current` are the ones now known of these quarter hours. An open one is replaced in place, as nothing may be
        billed on it; a complete one is superseded when it differs.
        """
        fresh: list[list[Any]] = []
        for usage in usages:
            starts_at, values = quarter_start(usage.period.start), _figures(usage, layout)
            is_open = complete_until is not None and starts_at + QUARTER_HOUR > complete_until
            known = current.get(starts_at, _NOTHING)
            key = [meter_id, starts_at, known.revision]
            if known.is_open:
                grown = [array_text(value) if isinstance(value, list) else value for value in values]
                run(self._session, GROW_USAGE, [now, is_open, *grown, *key])
            elif not known.revision or _differ(known.figures, values):
                if known.revision:
                    run(self._session, SUPERSEDE_USAGE, [now, *key])
                fresh.append([meter_id, owner_id, now, starts_at, known.revision + 1, is_open, *values])
        if fresh:
            add_usage(self._session, fresh)


def _usage(figures: Sequence[Any], layout: Layout, serial: str) -> Usage:
    """The value that figures in the order of USAGE_FIGURES tell."""
    start, end, deltas, cells, ms, substitute, unsynchronised, replayed, first, last = figures
    return Usage(
        meter=serial,
        period=Period(start, end),
        deltas=layout.registers(deltas),
        spectrum=layout.spectrum(cells, ms),
        substitute=substitute,
        replayed=replayed,
        evidence=(first, last),
        unsynchronised=unsynchronised,
    )


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


def usage_of(row: UsageRow, layout: Layout, serial: str) -> Usage:
    """The value of a stored row."""
    return _usage([getattr(row, name) for name in USAGE_FIGURES.split(", ")], layout, serial)
