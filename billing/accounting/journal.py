"""What leaves the books: an owner's entries of some days, with the balances before them and after."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from unicodedata import category
from uuid import UUID

from billing.accounting.account import account
from billing.accounting.ledger import JournalEntry, Posting
from billing.accounting.period_close import Balance
from billing.accounting.rules import INVOICE_TEXT
from billing.money import Money

_NOT_PRINTED = ("Cc", "Cf", "Cs", "Zl", "Zp")
_NUMBER_LENGTH = 12


class Format(StrEnum):
    """How a journal can be written."""

    HLEDGER = "hledger"
    LEDGER = "ledger"
    BEANCOUNT = "beancount"
    CSV = "csv"
    XLSX = "xlsx"
    DATEV = "datev"
    SAP = "sap"
    JSON = "json"


class BalancesDiffer(ValueError):
    """Opening balances and entries do not make the closing balances: read all three in one transaction."""


class TooLong(ValueError):
    """A sheet holds a million rows: choose fewer days, or CSV."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """The entries of `owner` from `first_day` to `last_day` inclusive, in the ledger's order.

    `opening` and `closing` are the ledger's own balances before and after them, one an account and currency. `names`
    are those of counterparties; one that is not there is called by its id.
    """

    owner: UUID
    name: str
    first_day: date
    last_day: date
    opening: tuple[Balance, ...]
    entries: tuple[JournalEntry, ...]
    closing: tuple[Balance, ...]
    names: Mapping[UUID, str]

    def __post_init__(self) -> None:
        counted = _sums(self.opening)
        for entry in self.entries:
            for posting in entry.postings:
                key = (posting.account, posting.amount.currency)
                counted[key] = counted.get(key, 0) + posting.amount.minor
        closing = _sums(self.closing)
        wrong = [key for key in counted | closing if counted.get(key, 0) != closing.get(key, 0)]
        if wrong:
            raise BalancesDiffer(f"{BalancesDiffer.__doc__} ({', '.join(map(' '.join, sorted(wrong)))})")

    @property
    def accounts(self) -> list[str]:
        """The accounts that are named in it, by number."""
        found = {balance.account for balance in (*self.opening, *self.closing)}
        found |= {posting.account for entry in self.entries for posting in entry.postings}
        return sorted(found, key=lambda name: (account(name).number, name))

    @property
    def currencies(self) -> list[str]:
        found = {balance.amount.currency for balance in (*self.opening, *self.closing)}
        return sorted(found | {posting.amount.currency for entry in self.entries for posting in entry.postings})

    def counterparty(self, posting: Posting) -> str:
        """Its name on one line, empty where there is none."""
        if posting.counterparty is None:
            return ""
        return one_line(self.names.get(posting.counterparty, str(posting.counterparty)))

    def carried_over(self) -> Iterator[Balance]:
        """The opening balances that are not zero."""
        return (balance for balance in self.opening if balance.amount)


def document_number(entry: JournalEntry) -> str:
    """What an accountant looks the entry up by: the invoice's number, else the first digits of the entry's id."""
    if entry.source == "invoice" and entry.text.startswith(INVOICE_TEXT):
        return one_line(entry.text.removeprefix(INVOICE_TEXT))
    return entry.id.hex[:_NUMBER_LENGTH]


def one_line(text: str) -> str:
    """`text` without anything that ends a line, moves a cursor or is not seen; runs of spaces are one."""
    return " ".join("".join(" " if category(letter) in _NOT_PRINTED else letter for letter in text).split())


def plain_amount(amount: Money) -> str:
    """Digits and a point, with the currency's places; a debit is positive."""
    return f"{amount.decimal:f}"


def _sums(balances: tuple[Balance, ...]) -> dict[tuple[str, str], int]:
    return {(balance.account, balance.amount.currency): balance.amount.minor for balance in balances}
