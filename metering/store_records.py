"""Sealed records and readings: their rows and values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import ColumnElement, func, text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, SQLModel, col, select, update

from metering.chain import Chain
from metering.columns import RowMaker, copy_readings
from metering.interval import Step
from metering.layout import Layout
from metering.machine import Agent, Meter, refused_id
from metering.ocmf import Sealed
from metering.period import Period
from metering.reading import Reading, Reason, Status, TimeQuality
from metering.tables import MeterRow, ReadingRow, RecordRow, RefusedRecordRow

# Bare tables where rows are only written or locked: what the session remembers of them would be stale or in the way.
_AGENT, _METER, _RECORD = (SQLModel.metadata.tables[name] for name in ("agent", "meter", "record"))


@dataclass(frozen=True, slots=True)
class Accepted:
    """A record that the chain took, with its readings as steps."""

    sealed: Sealed
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A text that was not taken, and why; `pagination` is None where it could not be read."""

    text: str
    digest: str
    pagination: int | None
    reason: str


class RecordStore:
    """What arrived from agents."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lock_chain(self, agent: Agent) -> tuple[Chain, Layout]:
        """The end of the agent's chain and its meter's layout, locked until the transaction ends."""
        end = _AGENT.c.pagination, _AGENT.c.sequence, _AGENT.c.digest, _AGENT.c.spectrum_cells, _AGENT.c.spectrum_ms
        locked = sa.select(*end).where(_AGENT.c.id == agent.id).with_for_update()
        pagination, sequence, digest, cells, ms = self._session.execute(locked).one()
        layout = self.layout(agent.meter_id)
        last = self.reading(agent.meter_id, sequence, layout) if sequence else None
        spectrum = layout.spectrum(cells, ms)
        return Chain(str(agent.id), agent.meter_serial, pagination, digest, last, spectrum), layout

    def layout(self, meter_id: UUID) -> Layout:
        codes, spindles = self._session.exec(
            select(MeterRow.register_codes, MeterRow.spindles).where(MeterRow.id == meter_id)
        ).one()
        return Layout(tuple(codes), tuple(spindles))

    def digests(self, meter_id: UUID, paginations: Sequence[int]) -> dict[int, str]:
        """Digests of the stored records among `paginations`."""
        if not paginations:
            return {}
        within = col(RecordRow.pagination).in_(paginations)
        return dict(
            self._session.exec(
                select(RecordRow.pagination, RecordRow.digest).where(RecordRow.meter_id == meter_id, within)
            ).all()
        )

    def add_records(
        self, agent: Agent, accepted: Sequence[Accepted], *, chain: Chain, layout: Layout, now: datetime
    ) -> Layout:
        """Store what the chain took, and the chain's new end, under the lock of `lock_chain`; the layout thereafter."""
        wider = layout.with_readings(step.reading for one in accepted for step in one.steps)
        if wider != layout:
            values = {"register_codes": list(wider.codes), "spindles": list(wider.spindles)}
            self._session.execute(update(_METER).where(_METER.c.id == agent.meter_id).values(**values))
        self._session.execute(insert(_RECORD), [_record_values(agent, one.sealed, now) for one in accepted])
        copy_readings(self._driver(), _rows(agent, accepted, wider))
        cells, ms = wider.cells(chain.spectrum)
        end = {
            "pagination": chain.pagination,
            "sequence": chain.last.sequence if chain.last else 0,
            "digest": chain.digest,
            "spectrum_cells": cells,
            "spectrum_ms": ms,
            "last_seen_at": now,
        }
        self._session.execute(update(_AGENT).where(_AGENT.c.id == agent.id).values(**end))
        return wider

    def add_refused(self, agent: Agent, refused: Sequence[Refused], *, now: datetime) -> None:
        """Keep refused texts aside, each once."""
        if not refused:
            return
        rows = {
            refused_id(agent.id, one.digest): {
                "id": refused_id(agent.id, one.digest),
                "agent_id": agent.id,
                "meter_id": agent.meter_id,
                "owner_id": agent.owner_id,
                "digest": one.digest,
                "pagination": one.pagination,
                "reason": one.reason,
                "text": one.text,
                "recorded_at": now,
            }
            for one in refused
        }
        self._session.execute(insert(RefusedRecordRow).on_conflict_do_nothing(), list(rows.values()))

    def refused(self, meter_id: UUID) -> list[Refused]:
        """Texts refused and not stored since, oldest first: each one is somebody's task."""
        row = RefusedRecordRow
        later = select(RecordRow.digest).where(RecordRow.meter_id == meter_id, RecordRow.digest == row.digest).exists()
        query = select(row).where(row.meter_id == meter_id, ~later).order_by(col(row.recorded_at), col(row.pagination))
        return [Refused(one.text, one.digest, one.pagination, one.reason) for one in self._session.exec(query)]

    def reading(self, meter_id: UUID, sequence: int, layout: Layout | None = None) -> Reading | None:
        """One reading, without its spectrum."""
        found = self._steps(meter_id, [ReadingRow.sequence == sequence], layout)
        return found[0].reading if found else None

    def latest(self, meter_id: UUID) -> Step | None:
        """The newest reading that may be seen."""
        newest = select(func.max(ReadingRow.sequence)).where(ReadingRow.meter_id == meter_id).scalar_subquery()
        found = self._steps(meter_id, [ReadingRow.sequence == newest])
        return found[0] if found else None

    def steps(self, meter: Meter, period: Period) -> list[Step]:
        """The readings that say what grew in `period`: from the last at or before its start to the first at its end."""
        time = col(ReadingRow.device_time)
        first = self._moment(meter.id, func.max(time), time <= period.start)
        last = self._moment(meter.id, func.min(time), time >= period.end)
        bounds = [time >= first] if first else []
        return self._steps(meter.id, [*bounds, *([time <= last] if last else [])])

    def steps_before(self, meter_id: UUID, sequence: int, start: datetime, *, layout: Layout) -> list[Step]:
        """The readings below `sequence` from the last at or before `start` on."""
        time = col(ReadingRow.device_time)
        last = select(func.max(time)).where(ReadingRow.meter_id == meter_id, time <= start).scalar_subquery()
        bounds = [col(ReadingRow.sequence) < sequence, time >= func.coalesce(last, text("'-infinity'"))]
        return self._steps(meter_id, bounds, layout)

    def texts(self, meter_id: UUID, first_sequence: int, last_sequence: int) -> list[str]:
        """The sealed texts that hold these readings, in order."""
        row = RecordRow
        query = select(row.text).where(
            row.meter_id == meter_id, row.last_sequence >= first_sequence, row.first_sequence <= last_sequence
        )
        return list(self._session.exec(query.order_by(col(row.pagination))))

    def last_with_cells(self, meter_id: UUID, before: int) -> list[int]:
        """For every spectrum cell, the last reading below sequence `before` in which it grew."""
        cells = (
            select(func.unnest(ReadingRow.spectrum_cells).label("cell"), ReadingRow.sequence)
            .where(ReadingRow.meter_id == meter_id, ReadingRow.sequence < before)
            .subquery()
        )
        query = select(func.max(cells.c.sequence)).group_by(cells.c.cell)
        return sorted(set(self._session.exec(query)))

    def _moment(self, meter_id: UUID, which: Any, condition: ColumnElement[bool]) -> datetime | None:
        found: datetime | None = self._session.exec(
            select(which).where(ReadingRow.meter_id == meter_id, condition)
        ).one()
        return found

    def _steps(self, meter_id: UUID, conditions: Iterable[Any], layout: Layout | None = None) -> list[Step]:
        layout = layout or self.layout(meter_id)
        query = select(*_COLUMNS).where(ReadingRow.meter_id == meter_id, *conditions)
        return [_step(row, layout) for row in self._session.execute(query.order_by(col(ReadingRow.sequence)))]

    def _driver(self) -> Any:
        return self._session.connection().connection.driver_connection


_COLUMNS: tuple[Any, ...] = (
    ReadingRow.sequence,
    ReadingRow.device_time,
    ReadingRow.time_quality,
    ReadingRow.reason,
    ReadingRow.status,
    ReadingRow.registers,
    ReadingRow.gap_start,
    ReadingRow.gap_end,
    ReadingRow.spectrum_cells,
    ReadingRow.spectrum_ms,
    ReadingRow.replayed,
)


def _step(row: Any, layout: Layout) -> Step:
    sequence, time, quality, reason, status, registers, gap_start, gap_end, cells, ms, replayed = row
    reading = Reading(
        sequence=sequence,
        device_time=time,
        time_quality=TimeQuality(quality),
        reason=Reason(reason),
        status=Status(status),
        registers=layout.registers(registers),
        gap=Period(gap_start, gap_end) if gap_start else None,
    )
    return Step(reading, layout.spectrum(cells, ms), replayed)


def _record_values(agent: Agent, sealed: Sealed, now: datetime) -> dict[str, Any]:
    record = sealed.record
    return {
        "meter_id": agent.meter_id,
        "pagination": record.pagination,
        "owner_id": agent.owner_id,
        "agent_id": agent.id,
        "digest": sealed.digest,
        "first_sequence": record.readings[0].sequence,
        "last_sequence": record.readings[-1].sequence,
        "replayed": record.replayed,
        "text": sealed.text,
        "recorded_at": now,
    }


def _rows(agent: Agent, accepted: Iterable[Accepted], layout: Layout) -> Iterable[bytes]:
    for one in accepted:
        record = one.sealed.record
        maker = RowMaker(agent.meter_id, agent.owner_id, record.pagination, record.replayed, layout)
        yield from (maker.row(step.reading, step.grown) for step in one.steps)
