"""Where checkout links and card events become rows and back."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlmodel import Session, col, select

from billing.money import Money
from billing.payments.card import CheckoutLink, StripeEvent
from billing.payments.tables import StripeEventRow, StripeLinkRow


class CardStore:
    """Links and events within one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def latest_link(self, invoice: UUID) -> CheckoutLink | None:
        """The last page opened for an invoice."""
        query = select(StripeLinkRow).where(StripeLinkRow.invoice_id == invoice)
        row = self._session.exec(query.order_by(col(StripeLinkRow.attempt).desc())).first()
        return _link(row) if row else None

    def add_link(self, link: CheckoutLink, *, now: datetime) -> None:
        """Remember an opened page; the same one again changes nothing."""
        row = {
            "id": link.id,
            "invoice_id": link.invoice,
            "lessor_id": link.lessor,
            "lessee_id": link.lessee,
            "attempt": link.attempt,
            "session_id": link.session,
            "url": link.url,
            "amount_minor": link.amount.minor,
            "currency": link.amount.currency,
            "state": link.state,
            "expires_at": link.expires_at,
            "recorded_at": now,
        }
        self._session.execute(pg_insert(StripeLinkRow).values(row).on_conflict_do_nothing())

    def set_link_state(self, session_id: str, state: str) -> None:
        """The page was paid or closed; a paid one stays paid."""
        statement = update(StripeLinkRow).where(
            col(StripeLinkRow.session_id) == session_id, col(StripeLinkRow.state) != "paid"
        )
        self._session.execute(statement.values(state=state))

    def keep_event(self, event: StripeEvent, *, came_by: str, now: datetime) -> bool:
        """Keep an event; False when it was kept before. Of two at once the second waits for the first's end."""
        row = {
            "id": event.id,
            "kind": event.kind,
            "made_at": event.made_at,
            "payload": event.payload,
            "came_by": came_by,
            "outcome": "kept",
            "recorded_at": now,
        }
        added = pg_insert(StripeEventRow).values(row).on_conflict_do_nothing().returning(col(StripeEventRow.id))
        return self._session.execute(added).first() is not None

    def note_outcome(self, event_id: str, outcome: str, *, lessor: UUID | None, lessee: UUID | None) -> None:
        """What the event led to, and whom it concerns."""
        statement = update(StripeEventRow).where(col(StripeEventRow.id) == event_id)
        self._session.execute(statement.values(outcome=outcome, lessor_id=lessor, lessee_id=lessee))

    def outcomes(self) -> dict[str, str]:
        """What each kept event led to, by event id."""
        return {row.id: row.outcome for row in self._session.exec(select(StripeEventRow))}


def _link(row: StripeLinkRow) -> CheckoutLink:
    return CheckoutLink(
        invoice=row.invoice_id,
        lessor=row.lessor_id,
        lessee=row.lessee_id,
        attempt=row.attempt,
        session=row.session_id,
        url=row.url,
        amount=Money(row.amount_minor, row.currency),
        state=row.state,
        expires_at=row.expires_at,
    )
