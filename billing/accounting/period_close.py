"""The record that an owner's books are closed for some days, with a digest of the balance they closed with."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from billing.money import Money


@dataclass(frozen=True, slots=True)
class Balance:
    """The sum of one account in one currency; debit is positive."""

    account: str
    amount: Money


@dataclass(frozen=True, slots=True)
class PeriodClose:
    """The books of `owner` from `first_day` to `last_day` inclusive are closed; `digest` is of their trial balance."""

    owner: UUID
    first_day: date
    last_day: date
    closed_at: datetime
    digest: str


def balance_digest(balances: Iterable[Balance]) -> str:
    """SHA-256 (hex) of the trial balance: equal balances, equal digest."""
    lines = sorted(f"{balance.account} {balance.amount.minor} {balance.amount.currency}" for balance in balances)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
