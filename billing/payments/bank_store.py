"""Where bank statements and their transactions become rows and back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import ColumnElement, func, literal
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlmodel import Session, col, select

from billing.money import Money
from billing.payments.statement import BankTransaction, BookedTransaction, Statement
from billing.payments.tables import BankStatementRow, BankTransactionRow, PaymentRow

_STATEMENTS = UUID("3c9c3f51-1f53-5d0b-8a3e-77f0f2f0b463")


class UnknownTransaction(LookupError):
    """There is no such bank transaction, or it is not visible to this party."""


class BankStore:
    """Statements and transactions within one transaction of the database."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add_statement(self, statement: Statement, *, owner: UUID, file_digest: str, now: datetime) -> str | None:
        """Keep a statement; None when it is new, else the digest of the content it was kept with before.

        Of two workers at once the second waits for the first's end.
        """
        assert statement.opening is not None
        assert statement.closing is not None
        row = {
            "id": statement_id(statement, owner),
            "owner_id": owner,
            "account": statement.account,
            "number": statement.id,
            "currency": statement.currency,
            "opening_minor": statement.opening.minor,
            "closing_minor": statement.closing.minor,
            "closing_on": statement.closing_on,
            "digest": statement.digest,
            "file_digest": file_digest,
            "recorded_at": now,
        }
        added = pg_insert(BankStatementRow).values(row).on_conflict_do_nothing().returning(col(BankStatementRow.id))
        if self._session.execute(added).first():
            return None
        query = select(col(BankStatementRow.digest)).where(BankStatementRow.id == row["id"])
        return self._session.exec(query).one()

    def add_transactions(self, statement: Statement, booked: Sequence[BookedTransaction], *, owner: UUID) -> int:
        """Keep the transactions that are new; how many were."""
        if not booked:
            return 0
        identifier = statement_id(statement, owner)
        rows = [_row(each, place, identifier, owner) for place, each in enumerate(booked)]
        added = (
            pg_insert(BankTransactionRow).values(rows).on_conflict_do_nothing().returning(col(BankTransactionRow.id))
        )
        return len(self._session.execute(added).all())

    def lock_matching(self, owner: UUID) -> None:
        """Let no other transaction decide on bank lines of `owner` until this one ends."""
        key = func.hashtextextended(literal(f"match/{owner}"), literal(0))
        self._session.execute(select(func.pg_advisory_xact_lock(key)))

    def transaction(self, transaction_id: UUID) -> tuple[UUID, BookedTransaction]:
        """Owner and transaction. Raises UnknownTransaction."""
        row = self._session.exec(select(BankTransactionRow).where(BankTransactionRow.id == transaction_id)).first()
        if row is None:
            raise UnknownTransaction(f"there is no bank transaction {transaction_id} here")
        return row.owner_id, _booked(row)

    def unmatched(self, owner: UUID) -> list[BookedTransaction]:
        """The transactions of `owner` that brought money and are no payment in force, by booking day."""
        settled = (
            select(PaymentRow.id)
            .where(col(PaymentRow.bank_transaction_id) == col(BankTransactionRow.id))
            .where(col(PaymentRow.undone_at).is_(None))
        )
        return self._transactions(
            col(BankTransactionRow.owner_id) == owner, col(BankTransactionRow.amount_minor) > 0, ~settled.exists()
        )

    def transactions(self, owner: UUID) -> list[BookedTransaction]:
        """All transactions of `owner`, by booking day."""
        return self._transactions(col(BankTransactionRow.owner_id) == owner)

    def _transactions(self, *where: ColumnElement[bool]) -> list[BookedTransaction]:
        order = (
            col(BankTransactionRow.booked_on),
            col(BankTransactionRow.statement_id),
            col(BankTransactionRow.position),
        )
        return [_booked(row) for row in self._session.exec(select(BankTransactionRow).where(*where).order_by(*order))]


def statement_id(statement: Statement, owner: UUID) -> UUID:
    """The id under which a statement of `owner` is kept."""
    return uuid5(_STATEMENTS, f"{owner}/{statement.key}")


def _row(booked: BookedTransaction, place: int, statement: UUID, owner: UUID) -> dict[str, Any]:
    transaction = booked.transaction
    return {
        "id": booked.id,
        "statement_id": statement,
        "owner_id": owner,
        "position": place,
        "booked_on": booked.booked_on,
        "value_on": booked.value_on,
        "amount_minor": transaction.amount.minor,
        "currency": transaction.amount.currency,
        "entry_reference": booked.entry_reference,
        "code": booked.code,
        "party": transaction.party,
        "party_account": transaction.party_account,
        "end_to_end_id": transaction.end_to_end_id,
        "returned": transaction.returned,
        "creditor_references": list(transaction.references),
        "remittance": list(transaction.remittance),
    }


def _booked(row: BankTransactionRow) -> BookedTransaction:
    transaction = BankTransaction(
        amount=Money(row.amount_minor, row.currency),
        references=tuple(row.references),
        remittance=tuple(row.remittance),
        party=row.party,
        party_account=row.party_account,
        end_to_end_id=row.end_to_end_id,
        returned=row.returned,
    )
    return BookedTransaction(row.id, row.booked_on, row.value_on, row.entry_reference, row.code, transaction)
