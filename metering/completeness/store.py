"""Where completeness meets rows: declarations, and the readings that bound a period."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, literal
from sqlalchemy.dialects.postgresql import Range, insert
from sqlmodel import Session, col, select

from metering.completeness.balance import Bound, bound
from metering.completeness.declaration import Declaration, DeclaredKind
from metering.completeness.tables import UseDeclarationRow, UseWithdrawalRow
from metering.period import Period
from metering.reading import Reading
from metering.store import MeteringStore
from metering.tables import ReadingRow


class CompletenessStore:
    """As far as the session's role and party may see."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._metering = MeteringStore(session)

    def bounds(self, meter_id: UUID, period: Period) -> tuple[Bound | None, Bound | None]:
        """The meter's registers at the start and at the end of `period`. NotOnQuarterHours."""
        start, end = (bound(*self._around(meter_id, moment), moment) for moment in (period.start, period.end))
        return start, end

    def lock_machine(self, machine_id: UUID) -> None:
        """Let no other transaction declare of this machine until this one ends."""
        key = func.hashtextextended(literal(f"use/{machine_id}"), literal(0))
        self._session.execute(select(func.pg_advisory_xact_lock(key)))

    def declarations(self, machine_id: UUID, period: Period) -> list[Declaration]:
        """What the owner declares of the machine in stretches that touch `period`, by time; not what was withdrawn."""
        row = UseDeclarationRow
        withdrawn = select(UseWithdrawalRow.declaration_id).where(UseWithdrawalRow.declaration_id == row.id).exists()
        touching = (row.machine_id == machine_id, col(row.during).op("&&")(_range(period)))
        found = self._session.exec(select(row).where(*touching, ~withdrawn).order_by(col(row.during)))
        return [_declaration(one) for one in found]

    def add_declaration(self, declaration: Declaration) -> None:
        """Put it on record; one with the same id is there already."""
        values = {
            "id": declaration.id,
            "machine_id": declaration.machine_id,
            "owner_id": declaration.owner_id,
            "during": _range(declaration.period),
            "kind": declaration.kind.value,
            "note": declaration.note,
            "by": declaration.by,
            "recorded_at": declaration.recorded_at,
        }
        self._session.execute(insert(UseDeclarationRow).values(values).on_conflict_do_nothing())

    def withdraw(self, declaration_id: UUID, owner_id: UUID, *, by: str, now: datetime) -> bool:
        """Take a declaration back; False where there is none to be seen. Again: changes nothing."""
        row = self._session.get(UseDeclarationRow, declaration_id)
        if row is None or row.owner_id != owner_id:
            return False
        values = {"declaration_id": declaration_id, "owner_id": owner_id, "by": by, "recorded_at": now}
        self._session.execute(insert(UseWithdrawalRow).values(values).on_conflict_do_nothing())
        return True

    def _around(self, meter_id: UUID, moment: datetime) -> tuple[Reading | None, Reading | None]:
        """The last reading at or before `moment` and the first after it; of several of one moment the first."""
        time, of_meter = col(ReadingRow.device_time), ReadingRow.meter_id == meter_id
        before = select(func.max(time)).where(of_meter, time <= moment)
        after = select(func.min(time)).where(of_meter, time > moment)
        found = []
        for which in (before, after):
            at = self._session.exec(which).one()
            same = select(func.min(ReadingRow.sequence)).where(of_meter, time == at)
            sequence = self._session.exec(same).one() if at else None
            found.append(self._metering.reading(meter_id, sequence) if sequence else None)
        return found[0], found[1]


def _range(period: Period) -> Range[datetime]:
    return Range(period.start, period.end, bounds="[)")


def _declaration(row: UseDeclarationRow) -> Declaration:
    return Declaration(
        id=row.id,
        machine_id=row.machine_id,
        owner_id=row.owner_id,
        period=Period(row.during.lower, row.during.upper),
        kind=DeclaredKind(row.kind),
        note=row.note,
        by=row.by,
        recorded_at=row.recorded_at,
    )
