"""Sealed records and readings: their rows and values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from metering.batch.block import Head
from metering.batch.end import End
from metering.batch.taken import Taken
from metering.chain import Chain, Passed
from metering.columns import copy_readings, copy_rows
from metering.interval import Step
from metering.layout import Layout
from metering.machine import Agent, Meter, refused_id, with_trust
from metering.period import Period
from metering.quick import (
    ADD_RECORDS,
    LAYOUT,
    LAYOUT_AND_MOMENT,
    LOCK_CHAIN,
    MOVE_CHAIN,
    ONE_READING,
    READING_COLUMNS,
    READINGS_BEFORE,
    WIDEN_LAYOUT,
    array_text,
    driver,
    run,
)
from metering.reading import Reading, Reason, Status, TimeQuality
from metering.refusals.tables import SettledRefusalRow
from metering.tables import ReadingRow, RecordRow, RefusedRecordRow


@dataclass(frozen=True, slots=True)
class Refused:
    """A text that was not taken, and why; `pagination` is None where it could not be read."""

    text: str
    digest: str
    pagination: int | None
    reason: str


def is_unsettled() -> ColumnElement[bool]:
    """Of a refused text: neither stored since nor settled by its owner."""
    row, settled = RefusedRecordRow, SettledRefusalRow
    stored = select(RecordRow.digest).where(RecordRow.meter_id == row.meter_id, RecordRow.digest == row.digest)
    return ~stored.exists() & ~select(settled.refused_id).where(settled.refused_id == row.id).exists()


def gone_on() -> list[ColumnElement[bool]]:
    """Of a settled refusal: the chain has the record behind its gap, and not after all the one that was lacking."""
    row, stored = SettledRefusalRow, RecordRow
    of_meter = select(stored.pagination).where(stored.meter_id == row.meter_id)
    behind = of_meter.where(stored.pagination == col(row.last_pagination) + 1).exists()
    lacking = of_meter.where(stored.pagination == col(row.after_pagination) + 1).exists()
    return [behind, ~lacking]


def _told(row: SettledRefusalRow) -> str:
    return f"accepted by {row.by} on {row.recorded_at:%Y-%m-%d %H:%M} UTC: {row.why}"


class RecordStore:
    """What arrived from agents."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lock_chain(self, agent: Agent) -> tuple[Chain, Layout]:
        """The end of the agent's chain and its meter's layout, locked until the transaction ends."""
        end = self.lock_end(agent)
        return end.chain(), end.layout

    def lock_end(self, agent: Agent) -> End:
        """Where the agent's chain ends and whom it trusts now, locked until the transaction ends."""
        # The lock alone first: what another transaction stored while this one waited for it must be seen thereafter.
        pagination, sequence, digest, cells, ms, *trust = run(self._session, LOCK_CHAIN, [agent.id])[0]
        rows = run(self._session, LAYOUT_AND_MOMENT, [sequence, agent.meter_id, sequence, agent.meter_id])
        layout = Layout(tuple(rows[0][0]), tuple(rows[0][1]))
        moment = tuple(step_of(reading, layout) for _, _, *reading in rows if sequence)
        return End(with_trust(agent, trust), pagination, digest, layout, cells, ms, moment)

    def layout(self, meter_id: UUID) -> Layout:
        codes, spindles = run(self._session, LAYOUT, [meter_id])[0]
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

    def add_records(self, agent: Agent, taken: Taken, *, layout: Layout, now: datetime) -> None:
        """Store what was taken, and the chain's new end, under the lock of `lock_end`; `layout` is the stored one."""
        wider = taken.layout
        if wider != layout:
            run(self._session, WIDEN_LAYOUT, [list(wider.codes), list(wider.spindles), agent.meter_id])
        run(self._session, ADD_RECORDS, [agent.meter_id, agent.owner_id, agent.id, now, *_record_columns(taken.heads)])
        copy_readings(driver(self._session), copy_rows(taken, meter_id=agent.meter_id, owner_id=agent.owner_id))
        last = taken.heads[-1]
        end = [taken.last_sequence, last.digest, *map(array_text, taken.spectrum)]
        run(self._session, MOVE_CHAIN, [last.pagination, *end, now, agent.id])

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

    def passed(self, agent_id: UUID, after: int) -> list[Passed]:
        """The accepted gaps after record `after`, the narrowest first: a gap is widened record by record."""
        row = SettledRefusalRow
        query = select(row.last_pagination, row.digest).where(row.agent_id == agent_id, row.after_pagination == after)
        found = self._session.exec(query.order_by(col(row.last_pagination), col(row.recorded_at)))
        return [Passed(after, last, digest) for last, digest in found if last is not None]

    def gaps(self, meter_id: UUID) -> list[Passed]:
        """The accepted gaps that the meter's chain has gone on behind, in its order, each with who accepted it."""
        row = SettledRefusalRow
        query = select(row).where(row.meter_id == meter_id, *gone_on()).order_by(col(row.after_pagination))
        return [
            Passed(one.after_pagination, one.last_pagination, one.digest, _told(one))
            for one in self._session.exec(query)
            if one.after_pagination is not None and one.last_pagination is not None
        ]

    def refused(self, meter_id: UUID) -> list[Refused]:
        """Texts refused, not stored since and not settled, oldest first: each one is somebody's task."""
        row = RefusedRecordRow
        query = select(row).where(row.meter_id == meter_id, is_unsettled())
        query = query.order_by(col(row.recorded_at), col(row.pagination))
        return [Refused(one.text, one.digest, one.pagination, one.reason) for one in self._session.exec(query)]

    def reading(self, meter_id: UUID, sequence: int, layout: Layout | None = None) -> Reading | None:
        """One reading, without its spectrum."""
        found = run(self._session, ONE_READING, [meter_id, sequence])
        return step_of(found[0], layout or self.layout(meter_id)).reading if found else None

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
        rows = run(self._session, READINGS_BEFORE, [meter_id, sequence, meter_id, start])
        return [step_of(row, layout) for row in rows]

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
        query = select(*COLUMNS).where(ReadingRow.meter_id == meter_id, *conditions)
        rows = self._session.execute(query.order_by(col(ReadingRow.sequence))).all()
        # After the rows: a layout only grows, so the later one fits rows that came in between, an earlier one may not.
        layout = layout or self.layout(meter_id)
        return [step_of(row, layout) for row in rows]


COLUMNS: tuple[Any, ...] = tuple(getattr(ReadingRow, name) for name in READING_COLUMNS.split(", "))


def step_of(row: Any, layout: Layout) -> Step:
    """A row of COLUMNS as a value."""
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


def _record_columns(heads: Sequence[Head]) -> list[list[Any]]:
    """In the order of ADD_RECORDS."""
    rows = [(one.pagination, one.digest, one.first, one.first + one.count - 1, one.replayed, one.text) for one in heads]
    return [list(column) for column in zip(*rows, strict=True)]
