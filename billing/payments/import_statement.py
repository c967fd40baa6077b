"""Import a bank statement file, whole or not at all; the same file again changes nothing."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.money import Money
from billing.payments.bank_store import statement_id
from billing.payments.camt053 import read_camt053
from billing.payments.statement import Statement, StatementRefused, check, transactions
from billing.payments.store import PaymentStore


@dataclass(frozen=True, slots=True)
class ImportedStatement:
    """`new` transactions of `total` were stored; the others were known, all of them when the statement `was_known`."""

    id: UUID
    number: str
    account: str
    closing: Money
    total: int
    new: int
    was_known: bool


def import_statement(
    content: bytes, *, owner: UUID, payments: PaymentStore, now: datetime
) -> tuple[ImportedStatement, ...]:
    """Store the booked transactions of a camt.053 file in the books of `owner`.

    Raises StatementRefused when the file is malformed, does not add up, or says something else than a statement of
    the same number that is there already; nothing of it is kept then.
    """
    statements = read_camt053(content)
    for statement in statements:
        check(statement)
    digest = hashlib.sha256(content).hexdigest()
    return tuple(_import(each, digest, owner, payments, now) for each in statements)


def _import(
    statement: Statement, file_digest: str, owner: UUID, payments: PaymentStore, now: datetime
) -> ImportedStatement:
    booked = transactions(statement, owner)
    known = payments.bank.add_statement(statement, owner=owner, file_digest=file_digest, now=now)
    if known not in (None, statement.digest):
        reason = f"statement {statement.id} of {statement.account} was imported before with other content"
        raise StatementRefused(reason, statement.line)
    new = 0 if known else payments.bank.add_transactions(statement, booked, owner=owner)
    assert statement.closing is not None
    identifier = statement_id(statement, owner)
    return ImportedStatement(
        identifier, statement.id, statement.account, statement.closing, len(booked), new, known is not None
    )
