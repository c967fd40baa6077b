"""The chart of accounts: what each account means, by name, with the number that exports use."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Which side of the books an account is on."""

    ASSET = "asset"
    LIABILITY = "liability"
    REVENUE = "revenue"
    EXPENSE = "expense"


@dataclass(frozen=True, slots=True)
class Account:
    """One account: `name` is its key everywhere, `number` only for people and exports."""

    name: str
    number: str
    kind: Kind
    meaning: str


class UnknownAccount(ValueError):
    """An account must be one of the chart's."""


CASH = "cash"
CLEARING = "clearing"
RECEIVABLE = "receivable"
DEPOSITS = "deposits"
PREPAID = "prepaid"
VAT_OUTPUT = "vat_output"
FEES = "fees"
WRITE_OFF = "write_off"

CHART = (
    Account(CASH, "1000", Kind.ASSET, "money at the bank, as its statements show it"),
    Account(CLEARING, "1050", Kind.ASSET, "card money that the payment provider holds until it pays out"),
    Account(RECEIVABLE, "1100", Kind.ASSET, "what lessees owe on issued invoices"),
    Account(DEPOSITS, "2100", Kind.LIABILITY, "deposits taken, owed back until forfeited"),
    Account(PREPAID, "2200", Kind.LIABILITY, "money received that no invoice claims yet"),
    Account(VAT_OUTPUT, "2300", Kind.LIABILITY, "value added tax charged, owed to the tax office"),
    Account("revenue.lease_fixed", "4000", Kind.REVENUE, "fixed lease payments: base fee, minimum"),
    Account("revenue.lease_variable", "4010", Kind.REVENUE, "lease payments that depend on use: runtime, wear, travel"),
    Account("revenue.service", "4100", Kind.REVENUE, "services beside the lease"),
    Account("revenue.energy", "4200", Kind.REVENUE, "energy passed on"),
    Account("revenue.penalty", "4300", Kind.REVENUE, "late cancellation, no-show, damage"),
    Account(FEES, "6000", Kind.EXPENSE, "what payment providers and banks keep"),
    Account(WRITE_OFF, "6100", Kind.EXPENSE, "receivables given up"),
)

_BY_NAME = {account.name: account for account in CHART}


def account(name: str) -> Account:
    """The chart's account of that name."""
    if name not in _BY_NAME:
        raise UnknownAccount(f"{name!r} is no account; there are {', '.join(_BY_NAME)}")
    return _BY_NAME[name]


def account_for_category(category: str) -> str:
    """The account that an invoice line of `category` is credited to."""
    return DEPOSITS if category == "deposit" else account(f"revenue.{category}").name
