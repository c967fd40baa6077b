"""Cut schedules as they were issued, and whether the newest one still says what is promised."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, func, select

from metering.machine import Meter
from metering.quick import SCHEDULE_STANDING, run
from metering.schedule import SealedSchedule
from metering.tables import MeterRow, ReadingRow
from metering.tables_sessions import CutScheduleRow, MeterSessionRow


@dataclass(frozen=True, slots=True)
class Head:
    """A meter's newest reading: its time, and whether it was played back."""

    at: datetime
    replayed: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """A meter's newest schedule. `unchanged`: no session has come or gone since; `text` is None where not asked for."""

    number: int
    issued_at: datetime
    valid_until: datetime
    unchanged: bool
    text: str | None
    head: Head | None


class ScheduleStore:
    """Schedules by meter and number. Needs the worker's role."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def schedule_standing(self, meter_id: UUID, *, known: int = 0) -> Standing | None:
        """The newest schedule, with its text when its number is above `known`; one cheap question."""
        rows = run(self._session, SCHEDULE_STANDING, [known, meter_id])
        if not rows:
            return None
        number, issued_at, valid_until, unchanged, text, at, replayed = rows[0]
        return Standing(number, issued_at, valid_until, unchanged, text, Head(at, replayed) if at else None)

    def head(self, meter_id: UUID) -> Head | None:
        """The meter's newest reading."""
        row = ReadingRow
        query = select(row.device_time, row.replayed).where(row.meter_id == meter_id)
        found = self._session.exec(query.order_by(col(row.sequence).desc()).limit(1)).first()
        return Head(*found) if found else None

    def lock_schedules(self, meter_id: UUID) -> None:
        """Let nobody else number a schedule of this meter until the transaction ends."""
        query = select(MeterRow.id).where(MeterRow.id == meter_id).with_for_update(key_share=True)
        self._session.exec(query).all()

    def session_changes(self, meter_id: UUID, after: datetime) -> int:
        """How often something became of sessions that end after `after`: each counts when promised and withdrawn."""
        row = MeterSessionRow
        query = select(func.count() + func.count(col(row.withdrawn_at)))
        return self._session.exec(query.where(row.meter_id == meter_id, row.ends_at > after)).one()

    def add_schedule(self, meter: Meter, sealed: SealedSchedule, *, changes: int, now: datetime) -> None:
        """Keep it for ever, under its number."""
        schedule = sealed.schedule
        values = {
            "meter_id": meter.id,
            "number": schedule.number,
            "owner_id": meter.owner_id,
            "issued_at": schedule.issued_at,
            "valid_until": schedule.valid_until,
            "changes": changes,
            "text": sealed.text,
            "recorded_at": now,
        }
        self._session.execute(insert(CutScheduleRow).values(values))
