"""Where refusals meet rows: what is kept aside and unsettled, what was settled, alarms."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select, update

from metering.chain import Passed
from metering.machine import Agent
from metering.refusals.refusal import Alarm, KeptAside, Settled, alarm_id
from metering.refusals.tables import RefusalAlarmRow, SettledRefusalRow
from metering.store_records import gone_on, is_unsettled
from metering.tables import AgentRow, MeterRow, RecordRow, RefusedRecordRow


class RefusalStore:
    """As far as the session's role and party may see; only the worker may write."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def kept_aside(self, meter_id: UUID, *, most: int) -> list[KeptAside]:
        """The meter's unsettled texts in the order in which the chain waits for them, at most so many."""
        row = RefusedRecordRow
        columns: list[Any] = [row.id, row.agent_id, row.pagination, row.reason, row.digest, row.recorded_at]
        query = select(*columns).where(row.meter_id == meter_id, is_unsettled())
        query = query.order_by(col(row.pagination).nulls_first(), col(row.recorded_at)).limit(most)
        return [KeptAside(*one) for one in self._session.execute(query)]

    def unsettled(self, refused_id: UUID) -> tuple[KeptAside, str] | None:
        """One unsettled text with what is known of it."""
        row = RefusedRecordRow
        one = self._session.exec(select(row).where(row.id == refused_id, is_unsettled())).first()
        if one is None:
            return None
        return KeptAside(one.id, one.agent_id, one.pagination, one.reason, one.digest, one.recorded_at), one.text

    def counts(self) -> dict[UUID, int]:
        """How many unsettled texts there are, per agent that has any."""
        row = RefusedRecordRow
        query = select(row.agent_id, func.count()).where(is_unsettled()).group_by(col(row.agent_id))
        return dict(self._session.exec(query).all())

    def waiting_texts(self, agent_id: UUID, after: int, *, most: int) -> list[str]:
        """Unsettled texts that say that they come after record `after`, in order."""
        row = RefusedRecordRow
        query = select(row.text).where(row.agent_id == agent_id, col(row.pagination) > after, is_unsettled())
        return list(self._session.exec(query.order_by(col(row.pagination), col(row.recorded_at)).limit(most)))

    def count_behind(self, agent_id: UUID, after: int) -> int:
        """How many unsettled texts say that they come after record `after`."""
        row = RefusedRecordRow
        query = select(func.count()).where(row.agent_id == agent_id, col(row.pagination) > after, is_unsettled())
        return self._session.exec(query).one()

    def reasons(self, meter_id: UUID) -> list[tuple[str, int]]:
        """Why texts of the meter were refused and how many for it, unsettled ones, in the chain's order."""
        row = RefusedRecordRow
        query = select(row.reason, func.count()).where(row.meter_id == meter_id, is_unsettled())
        return list(self._session.exec(query.group_by(col(row.reason)).order_by(func.min(row.pagination).nulls_last())))

    def chain_end(self, agent_id: UUID) -> int:
        """The number of the last stored record of the agent."""
        return self._session.exec(select(AgentRow.pagination).where(AgentRow.id == agent_id)).one()

    def settled_among(self, agent_id: UUID, numbers: Sequence[int]) -> list[int]:
        """Those of `numbers` up to the chain's end of which the agent has no unsettled refusal."""
        row = RefusedRecordRow
        query = select(row.pagination).where(row.agent_id == agent_id, col(row.pagination).in_(numbers), is_unsettled())
        standing, end = set(self._session.exec(query)), self.chain_end(agent_id)
        return [number for number in numbers if number <= end and number not in standing]

    def settle(
        self, agent: Agent, found: Iterable[KeptAside], gap: Passed | None, *, why: str, by: str, now: datetime
    ) -> None:
        """Put on record that these texts are settled; with `gap` the chain may go on behind them."""
        rows = [
            {
                "refused_id": one.id,
                "agent_id": agent.id,
                "meter_id": agent.meter_id,
                "owner_id": agent.owner_id,
                "after_pagination": gap.after if gap else None,
                "last_pagination": gap.last if gap else None,
                "digest": one.digest,
                "why": why,
                "by": by,
                "recorded_at": now,
            }
            for one in found
        ]
        if rows:
            self._session.execute(insert(SettledRefusalRow).on_conflict_do_nothing(), rows)

    def settled(self, meter_id: UUID) -> list[Settled]:
        """What was settled of the meter's refused records, in order of time."""
        row, refused = SettledRefusalRow, RefusedRecordRow
        query = select(row, refused.pagination).join(refused, col(refused.id) == row.refused_id)
        query = query.where(row.meter_id == meter_id).order_by(col(row.recorded_at), col(refused.pagination))
        return [_settled(*one) for one in self._session.exec(query)]

    def holes(self, meter_id: UUID) -> list[tuple[int, int]]:
        """Per accepted gap the numbers of the readings before and after it."""
        row = SettledRefusalRow
        before, behind = (select(RecordRow).subquery() for _ in range(2))
        query = (
            select(before.c.last_sequence, behind.c.first_sequence)
            .select_from(row)
            .join(before, (before.c.meter_id == row.meter_id) & (before.c.pagination == row.after_pagination))
            .join(behind, (behind.c.meter_id == row.meter_id) & (behind.c.pagination == col(row.last_pagination) + 1))
            .where(row.meter_id == meter_id, *gone_on())
        )
        return [(last, first) for last, first in self._session.execute(query)]

    def alarms(self) -> list[Alarm]:
        """The alarms that are raised, by the meter's serial."""
        row, meter, refused = RefusalAlarmRow, MeterRow, RefusedRecordRow
        count = (
            select(func.count())
            .select_from(refused)
            .where(refused.agent_id == row.agent_id, is_unsettled())
            .correlate(row)
            .scalar_subquery()
        )
        columns: list[Any] = [row.meter_id, meter.serial, row.raised_at, count]
        query = select(*columns).join(meter, col(meter.id) == row.meter_id).where(col(row.cleared_at).is_(None))
        found = self._session.execute(query.order_by(col(meter.serial)))
        return [Alarm(*one) for one in found]

    def raise_alarm(self, agent: Agent, *, now: datetime) -> bool:
        """Whether this raised it; False where it is raised already."""
        values = {
            "id": alarm_id(agent.id, now),
            "agent_id": agent.id,
            "meter_id": agent.meter_id,
            "owner_id": agent.owner_id,
            "raised_at": now,
            "cleared_at": None,
        }
        statement = insert(RefusalAlarmRow).values(values).on_conflict_do_nothing().returning(col(RefusalAlarmRow.id))
        return self._session.execute(statement).first() is not None

    def clear_alarms(self, *, but: Iterable[UUID], now: datetime) -> None:
        """Clear every alarm except those of these agents."""
        row = RefusalAlarmRow
        standing: ColumnElement[bool] = col(row.agent_id).in_(list(but))
        self._session.execute(update(row).where(col(row.cleared_at).is_(None), ~standing).values(cleared_at=now))


def _settled(row: SettledRefusalRow, pagination: int | None) -> Settled:
    return Settled(
        refused_id=row.refused_id,
        pagination=pagination,
        digest=row.digest,
        after=row.after_pagination,
        last=row.last_pagination,
        why=row.why,
        by=row.by,
        recorded_at=row.recorded_at,
    )
