"""What a bank statement says, as values: balances, entries, and the transactions that a batch entry is made of."""

import hashlib
from dataclasses import astuple, dataclass
from datetime import date
from uuid import UUID, uuid5

from billing.money import Money, total

_TRANSACTIONS = UUID("7e5c6d1a-2a3c-5b8e-8f10-4b8d3a1e6c21")
_NO_REFERENCE = frozenset({"", "0", "NONREF", "NOTPROVIDED", "NOT PROVIDED", "NONE"})


class StatementRefused(ValueError):
    """The file is refused whole: nothing of it is imported. `line` is where, when it is one line's fault."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(f"line {line}: {reason}" if line else reason)
        self.reason, self.line = reason, line


@dataclass(frozen=True, slots=True)
class BankTransaction:
    """One payment on the account: `amount` is positive when money came in.

    `references` are structured creditor references, `remittance` the free text in the order the bank gives it;
    `returned` says why, when this is a payment that came back.
    """

    amount: Money
    references: tuple[str, ...] = ()
    remittance: tuple[str, ...] = ()
    party: str = ""
    party_account: str = ""
    end_to_end_id: str = ""
    returned: str = ""

    @property
    def text(self) -> str:
        """All that may name an invoice, one line each."""
        return "\n".join((*self.references, *self.remittance, self.end_to_end_id))


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the statement. Pending and informational entries are not `booked`, move no balance, may lack a day.

    `transactions` add up to `amount`; a batch whose details do not, stays one transaction and `note` says why.
    """

    amount: Money
    booked: bool
    booked_on: date | None
    value_on: date | None
    reference: str
    code: str
    transactions: tuple[BankTransaction, ...]
    note: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """One account's statement: `opening` + booked entries = `closing`, or it is not to be imported."""

    id: str
    sequence: str
    account: str
    currency: str
    opening: Money | None
    opening_on: date | None
    closing: Money | None
    closing_on: date | None
    entries: tuple[Entry, ...]
    line: int | None = None

    @property
    def booked(self) -> Money:
        """The sum of the booked entries."""
        return total([entry.amount for entry in self.entries if entry.booked], self.currency)

    @property
    def difference(self) -> Money | None:
        """Closing minus opening minus booked entries; None when a balance is missing and it cannot be checked."""
        if self.opening is None or self.closing is None:
            return None
        return self.closing - self.opening - self.booked

    @property
    def key(self) -> str:
        """What makes it this statement and no other of the same account."""
        return "/".join((self.account, self.id, self.sequence, str(self.closing_on)))

    @property
    def digest(self) -> str:
        """SHA-256 of what it says, whatever the file's layout."""
        entries = [astuple(entry)[:-1] for entry in self.entries]  # without the line, which is layout
        content = (self.key, self.currency, self.opening, self.closing, entries)
        return hashlib.sha256(repr(content).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class BookedTransaction:
    """A transaction that moved the balance; its id is the same in every copy of the file."""

    id: UUID
    booked_on: date
    value_on: date
    entry_reference: str
    code: str
    transaction: BankTransaction


def check(statement: Statement) -> None:
    """Raises StatementRefused unless the statement adds up."""
    if statement.opening is None or statement.closing is None:
        which = "opening" if statement.opening is None else "closing"
        raise StatementRefused(
            f"statement {statement.id} has no booked {which} balance: it cannot be checked", statement.line
        )
    if difference := statement.difference:
        raise StatementRefused(
            f"statement {statement.id} does not add up: {statement.opening} opening and {statement.booked} booked make "
            f"{statement.opening + statement.booked}, but it closes with {statement.closing} ({difference} differ)",
            statement.line,
        )


def transactions(statement: Statement, owner: UUID) -> list[BookedTransaction]:
    """The booked transactions with ids from the bank's own reference where it gives one, else from their place.

    Two that look the same in one statement are two; the same one in two overlapping statements is one.
    """
    seen: dict[str, int] = {}
    result = []
    for place, entry in enumerate(statement.entries):
        if not entry.booked or entry.booked_on is None:
            continue
        key = f"{owner}/{statement.account}/{_entry_key(statement, entry, place)}"
        for part, transaction in enumerate(entry.transactions):
            name = f"{key}/{part}/{transaction.amount.minor}"
            seen[name] = seen.get(name, 0) + 1
            days = (entry.booked_on, entry.value_on or entry.booked_on)
            identifier = uuid5(_TRANSACTIONS, f"{name}/{seen[name]}")
            result.append(BookedTransaction(identifier, *days, entry.reference, entry.code, transaction))
    return result


def _entry_key(statement: Statement, entry: Entry, place: int) -> str:
    if entry.reference.strip().upper() in _NO_REFERENCE:
        return f"{statement.key}#{place}"
    return f"{entry.reference}@{entry.booked_on}={entry.amount.minor}{entry.amount.currency}"
