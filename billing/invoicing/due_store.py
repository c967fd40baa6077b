"""Which periods are due to be closed: rows that one worker at a time claims."""

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from billing.invoicing.tables import DueCloseRow
from metering.period import Period


class DueStore:
    """Due closes within one transaction; needs the worker's role."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def plan(self, period: Period, *, due_at: datetime) -> None:
        """`period` is to be closed from `due_at` on; planned once."""
        row = {"period_start": period.start, "period_end": period.end, "due_at": due_at, "closed_at": None}
        self._session.execute(insert(DueCloseRow).values(row).on_conflict_do_nothing())

    def claim(self, *, now: datetime) -> Period | None:
        """The oldest due period that no other worker has in hand; kept for this transaction, freed by its abort."""
        query = (
            select(DueCloseRow)
            .where(DueCloseRow.due_at <= now, col(DueCloseRow.closed_at).is_(None))
            .order_by(col(DueCloseRow.due_at), col(DueCloseRow.period_start))
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        row = self._session.exec(query).first()
        return Period(row.period_start, row.period_end) if row else None

    def mark_closed(self, period: Period, *, now: datetime) -> None:
        """The period is closed; it is not claimed again."""
        row = update(DueCloseRow).where(
            col(DueCloseRow.period_start) == period.start, col(DueCloseRow.period_end) == period.end
        )
        self._session.execute(row.values(closed_at=now))
