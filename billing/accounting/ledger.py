"""Journal entries: postings that sum to zero, booked once and never changed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID, uuid5

from billing.accounting.account import account
from billing.money import Money

_ENTRIES = UUID("5b0d1c1e-4d0f-5a0e-9a53-2f1b7a6b9e01")


class Unbalanced(ValueError):
    """An entry's postings must sum to zero in each currency."""


@dataclass(frozen=True, slots=True)
class Posting:
    """One side of an entry: `amount` is a debit when positive, a credit when negative.

    `counterparty` is the organisation that a receivable, deposit or prepaid balance stands against.
    """

    account: str
    amount: Money
    counterparty: UUID | None = None

    def __post_init__(self) -> None:
        account(self.account)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One event in the books of `owner`.

    `source` names what is booked (`invoice`, `payment`, `reversal`, ...) and `source_id` which one: together they give
    the entry's id, so the same event cannot be booked twice.
    """

    owner: UUID
    source: str
    source_id: UUID
    booked_on: date
    text: str
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        if not self.postings:
            raise Unbalanced(f"the entry {self.text!r} has no postings")
        wrong = {currency: minor for currency, minor in sums(self.postings).items() if minor}
        if wrong:
            raise Unbalanced(f"the entry {self.text!r} does not sum to zero: {wrong} minor units are left")

    @property
    def id(self) -> UUID:
        return entry_id(self.source, self.source_id)


def entry_id(source: str, source_id: UUID) -> UUID:
    """The id under which `source` with `source_id` is booked."""
    return uuid5(_ENTRIES, f"{source}/{source_id}")


def sums(postings: Iterable[Posting]) -> dict[str, int]:
    """The sum of `postings` in minor units per currency."""
    result: dict[str, int] = {}
    for posting in postings:
        result[posting.amount.currency] = result.get(posting.amount.currency, 0) + posting.amount.minor
    return result


def reverse(entry: JournalEntry, *, on: date, reason: str) -> JournalEntry:
    """The entry that takes `entry` back; an entry can be reversed once, since the reversal's id comes from its id."""
    postings = tuple(Posting(posting.account, -posting.amount, posting.counterparty) for posting in entry.postings)
    return JournalEntry(entry.owner, "reversal", entry.id, on, f"Reversal of {entry.text}: {reason}", postings)
