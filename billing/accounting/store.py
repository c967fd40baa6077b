"""Where journal entries become rows and back."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, insert
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlmodel import Session, col, select

from billing.accounting.ledger import JournalEntry, Posting
from billing.accounting.period_close import Balance, PeriodClose
from billing.accounting.tables import JournalEntryRow, PeriodCloseRow, PostingRow
from billing.money import Money


class BookedDifferently(ValueError):
    """The same source is booked already with other postings: reverse that entry first."""


class PeriodClosed(ValueError):
    """The books are closed for that day: book on a later day, or reopen the period."""


class LedgerStore:
    """The ledger within one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def post(self, entry: JournalEntry, *, now: datetime) -> bool:
        """Book `entry`; False when it is booked already with the same postings.

        Raises BookedDifferently, PeriodClosed. Of two transactions that book the same source at once, the second waits
        for the first.
        """
        self._refuse_closed(entry)
        row = {
            "id": entry.id,
            "owner_id": entry.owner,
            "source": entry.source,
            "source_id": entry.source_id,
            "booked_on": entry.booked_on,
            "recorded_at": now,
            "text": entry.text,
        }
        added = self._session.execute(
            pg_insert(JournalEntryRow).values(row).on_conflict_do_nothing().returning(col(JournalEntryRow.id))
        ).first()
        if added:
            self._session.execute(insert(PostingRow), _posting_rows(entry))
            return True
        booked = self.entry(entry.id)
        if booked is None or booked.postings != entry.postings or booked.owner != entry.owner:
            raise BookedDifferently(f"{entry.source} {entry.source_id} is booked already with other postings")
        return False

    def entry(self, entry_id: UUID) -> JournalEntry | None:
        """The entry with that id."""
        return next(iter(self._entries(col(JournalEntryRow.id) == entry_id)), None)

    def entries(self, owner: UUID, first_day: date, last_day: date) -> list[JournalEntry]:
        """The entries in the books of `owner` from `first_day` to `last_day` inclusive, by day."""
        return self._entries(
            col(JournalEntryRow.owner_id) == owner, col(JournalEntryRow.booked_on).between(first_day, last_day)
        )

    def owners(self) -> list[UUID]:
        """Whose books there are, as far as they may be seen."""
        return list(self._session.exec(select(col(JournalEntryRow.owner_id)).distinct()))

    def trial_balance(self, owner: UUID | None = None, *, until: date | None = None) -> list[Balance]:
        """The sum of each account and currency; all owners together without `owner`. It sums to zero per currency."""
        query = (
            select(col(PostingRow.account), col(PostingRow.currency), func.sum(col(PostingRow.amount_minor)))
            .group_by(col(PostingRow.account), col(PostingRow.currency))
            .order_by(col(PostingRow.account), col(PostingRow.currency))
        )
        if owner:
            query = query.where(PostingRow.owner_id == owner)
        if until:
            query = query.join(JournalEntryRow).where(JournalEntryRow.booked_on <= until)
        return [Balance(account, Money(int(minor), currency)) for account, currency, minor in self._session.exec(query)]

    def balance(self, account: str, currency: str, *, owner: UUID, counterparty: UUID | None = None) -> Money:
        """The sum of one account in one currency, of one counterparty when given; debit is positive."""
        query = select(func.coalesce(func.sum(col(PostingRow.amount_minor)), 0)).where(
            PostingRow.account == account, PostingRow.currency == currency, PostingRow.owner_id == owner
        )
        if counterparty:
            query = query.where(PostingRow.counterparty_id == counterparty)
        return Money(int(self._session.exec(query).one()), currency)

    def movement(self, account: str, owner: UUID, first_day: date, last_day: date) -> list[Money]:
        """What one account grew by on these days, both included, one amount a currency; debit is positive."""
        found: dict[str, Money] = {}
        for _, amount in self._sums(account, owner, col(JournalEntryRow.booked_on).between(first_day, last_day)):
            found[amount.currency] = found.get(amount.currency, Money(0, amount.currency)) + amount
        return list(found.values())

    def by_counterparty(self, account: str, owner: UUID, *, until: date) -> dict[UUID, list[Money]]:
        """The sums of one account at the end of `until` for each counterparty, one amount a currency."""
        found: dict[UUID, list[Money]] = {}
        for party, amount in self._sums(account, owner, col(JournalEntryRow.booked_on) <= until):
            if party:
                found.setdefault(party, []).append(amount)
        return found

    def record_close(self, close: PeriodClose) -> None:
        """Record that the books are closed; closing the same days again changes nothing."""
        row = {
            "owner_id": close.owner,
            "first_day": close.first_day,
            "last_day": close.last_day,
            "closed_at": close.closed_at,
            "digest": close.digest,
        }
        self._session.execute(pg_insert(PeriodCloseRow).values(row).on_conflict_do_nothing())

    def closes(self, owner: UUID) -> list[PeriodClose]:
        """The periods closed in the books of `owner`, in order."""
        query = select(PeriodCloseRow).where(PeriodCloseRow.owner_id == owner).order_by(col(PeriodCloseRow.first_day))
        return [
            PeriodClose(row.owner_id, row.first_day, row.last_day, row.closed_at, row.digest)
            for row in self._session.exec(query)
        ]

    def _refuse_closed(self, entry: JournalEntry) -> None:
        day = entry.booked_on
        closed = select(col(PeriodCloseRow.last_day)).where(
            PeriodCloseRow.owner_id == entry.owner, PeriodCloseRow.first_day <= day, PeriodCloseRow.last_day >= day
        )
        if last_day := self._session.exec(closed).first():
            raise PeriodClosed(f"the books are closed until {last_day}: {entry.text} cannot be booked on {day}")

    def _sums(self, account: str, owner: UUID, when: ColumnElement[bool]) -> list[tuple[UUID | None, Money]]:
        group = (col(PostingRow.counterparty_id), col(PostingRow.currency))
        query = (
            select(*group, func.sum(col(PostingRow.amount_minor)))
            .join(JournalEntryRow, col(PostingRow.entry_id) == col(JournalEntryRow.id))
            .where(PostingRow.owner_id == owner, PostingRow.account == account, when)
            .group_by(*group)
            .order_by(*group)
        )
        return [(party, Money(int(minor), currency)) for party, currency, minor in self._session.exec(query)]

    def _entries(self, *where: ColumnElement[bool]) -> list[JournalEntry]:
        query = (
            select(JournalEntryRow, PostingRow)
            .join(PostingRow, col(PostingRow.entry_id) == col(JournalEntryRow.id))
            .where(*where)
            .order_by(col(JournalEntryRow.booked_on), col(JournalEntryRow.id), col(PostingRow.position))
        )
        grouped = groupby(self._session.exec(query), key=lambda pair: pair[0])
        return [_entry(head, [posting for _, posting in pairs]) for head, pairs in grouped]


def _posting_rows(entry: JournalEntry) -> Sequence[dict[str, Any]]:
    return [
        {
            "entry_id": entry.id,
            "position": position,
            "owner_id": entry.owner,
            "account": posting.account,
            "amount_minor": posting.amount.minor,
            "currency": posting.amount.currency,
            "counterparty_id": posting.counterparty,
        }
        for position, posting in enumerate(entry.postings)
    ]


def _entry(row: JournalEntryRow, postings: Iterable[PostingRow]) -> JournalEntry:
    values = tuple(
        Posting(posting.account, Money(posting.amount_minor, posting.currency), posting.counterparty_id)
        for posting in postings
    )
    return JournalEntry(row.owner_id, row.source, row.source_id, row.booked_on, row.text, values)
