"""Sessions: what was promised, which readings open and close them, and the registers at their begin and end."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select, update

from metering.batch.taken import Taken
from metering.interval import Step
from metering.layout import Layout
from metering.machine import Agent, Meter
from metering.period import Period
from metering.quick import READINGS_AROUND, run
from metering.reading import Reason
from metering.session import MeasuredSession, Session, edge_between, sealed_edge
from metering.store_records import COLUMNS, RecordStore, step_of
from metering.tables import ReadingRow
from metering.tables_sessions import MeterSessionRow, SessionReadingRow


class SessionStore(RecordStore):
    """Sessions of meters. They are planned and withdrawn by the worker; each party sees its own, the owner all."""

    def plan_session(self, meter: Meter, session: str, party: UUID, during: Period, *, now: datetime) -> None:
        """Promise `during` on the meter to `party`; the same session again changes nothing."""
        values = {
            "meter_id": meter.id,
            "id": session,
            "owner_id": meter.owner_id,
            "party_id": party,
            "begins_at": during.start,
            "ends_at": during.end,
            "recorded_at": now,
            "withdrawn_at": None,
        }
        self._session.execute(insert(MeterSessionRow).values(values).on_conflict_do_nothing())

    def withdraw_session(self, session: str, *, now: datetime) -> None:
        """The session will not be, or ends nothing any more; once withdrawn it stays so."""
        row = MeterSessionRow
        change = update(row).where(col(row.id) == session, col(row.withdrawn_at).is_(None))
        self._session.execute(change.values(withdrawn_at=now))

    def planned_sessions(self, meter_id: UUID, period: Period) -> list[Session]:
        """The sessions that touch `period`, withdrawn ones too, by begin."""
        row = MeterSessionRow
        query = select(row).where(row.meter_id == meter_id, row.begins_at < period.end, row.ends_at > period.start)
        found = self._session.exec(query.order_by(col(row.begins_at), col(row.id)))
        return [Session(one.id, one.party_id, Period(one.begins_at, one.ends_at), one.withdrawn_at) for one in found]

    def sessions(self, meter_id: UUID, period: Period) -> list[MeasuredSession]:
        """The sessions that touch `period`, by begin, each with its opening and closing registers.

        Whoever asks must see the meter's readings at both ends: its owner, or the worker for a party that it checked.
        """
        planned = self.planned_sessions(meter_id, period)
        moments = sorted({moment for one in planned for moment in (one.period.start, one.period.end)})
        around = self._around(meter_id, moments)
        marked = self._marked(meter_id, [one.id for one in planned])
        measured = []
        for one in planned:
            marks, (start, end) = marked.get(one.id, {}), (one.period.start, one.period.end)
            opening = sealed_edge(start, marks, Reason.BEGIN) or edge_between(start, *around[start])
            closing = sealed_edge(end, marks, Reason.END) or edge_between(end, *around[end])
            measured.append(MeasuredSession(one, opening, closing))
        return measured

    def edges_of_party(self, meter_id: UUID, party: UUID, sequences: Sequence[int]) -> set[int]:
        """Those of the readings that lie at the begin or end of a session of the party's, and are for no other's."""
        session, mark, reading = MeterSessionRow, SessionReadingRow, ReadingRow
        at_edge = select(session.id).where(
            session.meter_id == meter_id,
            session.party_id == party,
            col(reading.device_time).in_([col(session.begins_at), col(session.ends_at)]),
        )
        own = select(session.id).where(session.meter_id == meter_id, session.party_id == party)
        of_others = select(mark.session).where(
            mark.meter_id == meter_id, mark.sequence == reading.sequence, col(mark.session).not_in(own)
        )
        query = select(reading.sequence).where(reading.meter_id == meter_id, col(reading.sequence).in_(sequences))
        return set(self._session.exec(query.where(at_edge.exists(), ~of_others.exists())))

    def mark_sessions(self, agent: Agent, taken: Taken) -> None:
        """Note which of the readings begin or end a session; most batches have none."""
        rows = [
            {
                "meter_id": agent.meter_id,
                "sequence": taken.first + place,
                "owner_id": agent.owner_id,
                "session": session,
                "reason": chr(taken.block.reasons[place]),
            }
            for place, session in taken.block.sessions.items()
        ]
        if rows:
            self._session.execute(insert(SessionReadingRow), rows)

    def _marked(self, meter_id: UUID, sessions: Sequence[str]) -> dict[str, dict[Reason, Step]]:
        """The readings sealed for these sessions; of several of one kind the first."""
        if not sessions:
            return {}
        mark, reading = SessionReadingRow, ReadingRow
        query = (
            select(mark.session, *COLUMNS)
            .join(reading, (col(reading.meter_id) == mark.meter_id) & (col(reading.sequence) == mark.sequence))
            .where(mark.meter_id == meter_id, col(mark.session).in_(sessions))
        )
        rows = self._session.execute(query.order_by(col(mark.sequence).desc())).all()
        layout = self.layout(meter_id)
        found: dict[str, dict[Reason, Step]] = {}
        for session, *row in rows:
            step = step_of(row, layout)
            found.setdefault(session, {})[step.reading.reason] = step
        return found

    def _around(self, meter_id: UUID, moments: Sequence[datetime]) -> dict[datetime, tuple[Step | None, Step | None]]:
        """For each moment the last reading at or before it and the first at or after it."""
        if not moments:
            return {}
        rows = run(self._session, READINGS_AROUND, [list(moments), meter_id, meter_id])
        # After the rows: a layout only grows, so the later one fits rows that came in between, an earlier one may not.
        layout = self.layout(meter_id)
        half = len(COLUMNS)
        return {row[0]: (_maybe(row[1 : 1 + half], layout), _maybe(row[1 + half :], layout)) for row in rows}


def _maybe(row: Sequence[Any], layout: Layout) -> Step | None:
    return step_of(row, layout) if row[0] is not None else None
