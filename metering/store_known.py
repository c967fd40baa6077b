"""Usage with its history: revisions, when each became known, and the gaps that readings tell."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_
from sqlmodel import Session, col, select

from metering.known import Known, with_gaps
from metering.layout import Layout
from metering.period import Period
from metering.refusals.store import RefusalStore
from metering.store_usage import usage_of
from metering.tables import MeterRow, ReadingRow, RecordRow, UsageRow


class KnownUsageStore:
    """What was known of usage, and when; for a meter's owner and the worker, who see its records."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def known(self, meter_id: UUID, period: Period, *, known_at: datetime | None = None) -> list[Known]:
        """The quarter hours that begin in `period`, as known now or at `known_at`.

        A quarter hour that was not over then may have grown since: it is told once it stopped growing.
        """
        row = UsageRow
        begins = (col(row.starts_at) >= period.start, col(row.starts_at) < period.end)
        found = self._session.exec(
            select(row).where(row.meter_id == meter_id, *begins, *_known(known_at)).order_by(col(row.starts_at))
        ).all()
        # After the rows: a layout only grows, so the later one fits rows that came in between, an earlier one may not.
        codes, spindles, serial = self._session.exec(
            select(MeterRow.register_codes, MeterRow.spindles, MeterRow.serial).where(MeterRow.id == meter_id)
        ).one()
        layout = Layout(tuple(codes), tuple(spindles))
        rows = [Known(usage_of(one, layout, serial), one.revision, one.recorded_at, one.is_open) for one in found]
        return with_gaps(
            rows, self.gaps(meter_id, period, known_at=known_at), RefusalStore(self._session).holes(meter_id)
        )

    def gaps(self, meter_id: UUID, period: Period, *, known_at: datetime | None = None) -> list[Period]:
        """The stretches that touch `period` in which the agent had no proof of life of its source, as sealed."""
        row = ReadingRow
        time = col(row.device_time)
        # A gap lies between the reading that tells it and the one before: none after the period's next tells of it.
        after = select(func.min(time)).where(row.meter_id == meter_id, time >= period.end).scalar_subquery()
        query = select(row.gap_start, row.gap_end).where(
            row.meter_id == meter_id,
            time >= period.start,
            time <= func.coalesce(after, datetime.max.replace(tzinfo=UTC)),
            col(row.gap_start) < period.end,
            col(row.gap_end) > period.start,
        )
        if known_at is not None:
            same = (RecordRow.meter_id == row.meter_id, RecordRow.pagination == row.pagination)
            query = query.where(select(RecordRow.pagination).where(*same, RecordRow.recorded_at <= known_at).exists())
        found = self._session.exec(query.order_by(col(row.gap_start)))
        return [Period(start, end) for start, end in found if start and end]

    def resting_on(self, meter_id: UUID, sequence: int, around: Period) -> list[Known]:
        """The current quarter hours that rest on reading `sequence`; they lie in `around`, its neighbours' time."""
        rows = self.known(meter_id, around)
        return [row for row in rows if row.usage.evidence[0] <= sequence <= row.usage.evidence[1]]


def _known(known_at: datetime | None) -> list[ColumnElement[bool]]:
    row = UsageRow
    if known_at is None:
        return [col(row.superseded_at).is_(None)]
    standing = or_(col(row.superseded_at).is_(None), col(row.superseded_at) > known_at)
    return [col(row.recorded_at) <= known_at, standing]
