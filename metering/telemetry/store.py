"""The manifest of received segments: its rows and values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

from sqlalchemy import func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from metering.tables import MeterRow
from metering.telemetry.stretch import Stored
from metering.telemetry.tables import TelemetrySegmentRow

# An agent that began anew counts its rows from 1 again: that is no hole.
_COMPLETENESS = text(
    """
    SELECT count(*), coalesce(max(number), 0), coalesce(min(number), 1), coalesce(sum(lost), 0),
           count(*) FILTER (WHERE thinned), max(until_ms)
    FROM (
        SELECT number, until_ms, thinned,
               greatest(lead(first_row) OVER (ORDER BY number) - next_row, 0)
               * (lead(number) OVER (ORDER BY number) = number + 1)::int AS lost
        FROM telemetry_segment WHERE meter_id = :meter AND refused IS NULL
    ) kept
    """
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Completeness:
    """How much of a meter's telemetry is there.

    `missing` numbers below `newest` were never received, `lost_rows` were never written by the agent, `thinned`
    segments lack values of analogue signals, `refused` ones were kept aside.
    """

    stored: int
    newest: int
    missing: int
    lost_rows: int
    thinned: int
    refused: int
    until: datetime | None


class TelemetryStore:
    """Which segments there are, as far as the session's role and party may see it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def digest_of(self, meter_id: UUID, number: int) -> str | None:
        """The digest of the segment that is stored under this number."""
        row = TelemetrySegmentRow
        query = select(row.digest).where(row.meter_id == meter_id, row.number == number, col(row.refused).is_(None))
        return self._session.exec(query).first()

    def machine_of(self, meter_id: UUID) -> UUID:
        return self._session.exec(select(MeterRow.machine_id).where(MeterRow.id == meter_id)).one()

    def add(
        self,
        stored: Stored,
        *,
        meter_id: UUID,
        owner_id: UUID,
        machine_id: UUID,
        digest: str,
        size: int,
        refused: str | None,
        now: datetime,
    ) -> None:
        """Note a segment; the same again is a no-op. Needs the worker's role."""
        statement = insert(TelemetrySegmentRow).values(
            meter_id=meter_id,
            number=stored.number,
            digest=digest,
            owner_id=owner_id,
            machine_id=machine_id,
            first_row=stored.first_row,
            next_row=stored.next_row,
            from_ms=stored.from_ms,
            until_ms=stored.until_ms,
            life_end_ms=stored.life_end_ms,
            policy=list(stored.policy),
            thinned=stored.thinned,
            size=size,
            refused=refused,
            recorded_at=now,
            forgotten_at=None,
        )
        self._session.execute(statement.on_conflict_do_nothing())

    def refused_of(self, meter_id: UUID) -> int:
        """How many segments of the meter were kept aside."""
        row = TelemetrySegmentRow
        query = select(func.count()).where(row.meter_id == meter_id, col(row.refused).is_not(None))
        return int(self._session.exec(query).one())

    def segments(self, meter_id: UUID, *, since: datetime | None = None, until: datetime | None = None) -> list[Stored]:
        """The stored segments that say something of [since, until), by number; `meter` is the meter's id as text."""
        row = TelemetrySegmentRow
        query = select(row).where(row.meter_id == meter_id, col(row.refused).is_(None), col(row.forgotten_at).is_(None))
        if since is not None:
            query = query.where(row.until_ms > _ms(since))
        if until is not None:
            query = query.where(row.from_ms < _ms(until))
        return [_stored(found) for found in self._session.exec(query.order_by(col(row.number)))]

    def completeness(self, meter_id: UUID) -> Completeness:
        found = self._session.execute(_COMPLETENESS, {"meter": meter_id}).one()
        count, newest, oldest, lost, thinned, until = found
        return Completeness(
            stored=count,
            newest=newest,
            missing=newest - oldest + 1 - count if count else 0,
            lost_rows=int(lost),
            thinned=thinned,
            refused=self.refused_of(meter_id),
            until=_EPOCH + timedelta(milliseconds=until) if until is not None else None,
        )

    def forget(self, before: datetime, *, now: datetime) -> int:
        """Note that what ended before a moment was deleted; how many segments that were."""
        row = TelemetrySegmentRow
        statement = update(row).where(col(row.until_ms) < _ms(before), col(row.forgotten_at).is_(None))
        done = self._session.execute(statement.values(forgotten_at=now).returning(col(row.number)))
        return len(done.all())

    def stored_numbers(self) -> dict[str, set[int]]:
        """The numbers of every meter's stored segments, by the meter's id as text."""
        row = TelemetrySegmentRow
        numbers: dict[str, set[int]] = {}
        query = select(row.meter_id, row.number).where(col(row.refused).is_(None), col(row.forgotten_at).is_(None))
        for meter, number in self._session.exec(query):
            numbers.setdefault(str(meter), set()).add(number)
        return numbers


def _stored(row: TelemetrySegmentRow) -> Stored:
    return Stored(
        meter=str(row.meter_id),
        number=row.number,
        first_row=row.first_row,
        next_row=row.next_row,
        from_ms=row.from_ms,
        until_ms=row.until_ms,
        life_end_ms=row.life_end_ms,
        policy=tuple(row.policy),
        thinned=row.thinned,
    )


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def numbers_between(stored: Sequence[Stored]) -> list[tuple[int, int]]:
    """The holes between the stored segments' numbers, each as first and last missing."""
    pairs = pairwise(stored)
    return [(one.number + 1, other.number - 1) for one, other in pairs if other.number > one.number + 1]
