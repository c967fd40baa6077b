"""A journal for the plain-text accounting programs: hledger, ledger and beancount.

Each file carries the ledger's own balances: as the first entry those before, and after the last entry those after, as
assertions. So the program's own check compares its balances with ours, exactly.
"""

from collections.abc import Iterator
from datetime import timedelta

from billing.accounting.account import Account, account
from billing.accounting.journal import Journal, one_line, plain_amount
from billing.accounting.ledger import JournalEntry, Posting
from billing.accounting.period_close import Balance
from billing.money import minor_places

# By the kind's value: what the five roots are called there.
_ROOTS = {
    "asset": "assets",
    "liability": "liabilities",
    "equity": "equity",
    "revenue": "revenues",
    "expense": "expenses",
}
_BEANCOUNT = _ROOTS | {"revenue": "income"}
_OPENING = "Opening balances"
_CLOSING = "Closing balances, as the ledger has them"


def hledger(journal: Journal) -> str:
    """For hledger 1.21 or newer; passes `hledger check --strict ordereddates`."""
    return "\n".join(_hledger(journal)) + "\n"


def ledger(journal: Journal) -> str:
    """For ledger 3; passes `ledger --pedantic`."""
    return "\n".join(_ledger(journal)) + "\n"


def beancount(journal: Journal) -> str:
    """For beancount 2 and 3; passes `bean-check`. Revenue is called income there."""
    return "\n".join(_beancount(journal)) + "\n"


def _hledger(journal: Journal) -> Iterator[str]:
    yield f"; {_title(journal)}"
    yield "decimal-mark ."
    for currency in journal.currencies:
        yield f"commodity 1000.{'0' * minor_places(currency)} {currency}"
    for name in journal.accounts:
        told = account(name)
        yield f"account {_path(told)}  ; number:{told.number}, {_comment(told.meaning)}"
    yield from _entries(journal)


def _ledger(journal: Journal) -> Iterator[str]:
    yield f"; {_title(journal)}"
    for currency in journal.currencies:
        yield f"commodity {currency}"
    for tag in ("id", "source", "counterparty", "counterparty_id"):
        yield f"tag {tag}"
    for name in journal.accounts:
        yield f"account {_path(account(name))}\n    note {account(name).number} {account(name).meaning}"
    yield from _entries(journal)


def _entries(journal: Journal) -> Iterator[str]:
    """Entries as hledger and ledger write them alike."""
    carried = list(journal.carried_over())
    if carried:
        yield f"\n{journal.first_day} * {_OPENING}"
        yield from (_line(balance.account, balance) for balance in carried)
    for entry in journal.entries:
        yield f"\n{entry.booked_on} * {_comment(entry.text)}"
        yield f"    ; id: {entry.id}\n    ; source: {_comment(entry.source)}"
        for posting in entry.postings:
            yield _line(posting.account, posting)
            if posting.counterparty:
                yield f"    ; counterparty: {_comment(journal.counterparty(posting))}"
                yield f"    ; counterparty_id: {posting.counterparty}"
    if journal.closing:
        yield f"\n{journal.last_day} * {_CLOSING}"
    for balance in journal.closing:
        currency, amount = balance.amount.currency, plain_amount(balance.amount)
        yield f"    {_path(account(balance.account))}  0 {currency} = {amount} {currency}"


def _line(name: str, told: Posting | Balance) -> str:
    return f"    {_path(account(name))}  {plain_amount(told.amount)} {told.amount.currency}"


def _path(told: Account) -> str:
    return ":".join([_ROOTS[told.kind.value], *_below(told)])


def _below(told: Account) -> list[str]:
    """The parts of the account's name below its root: `revenue.energy` is revenues:energy."""
    parts = told.name.split(".")
    return parts[1:] if parts[0] == told.kind.value and len(parts) > 1 else parts


def _comment(text: str) -> str:
    """Text where a semicolon would begin a comment and a comma end a tag; both come out as spaces."""
    return one_line(text.replace(";", " ").replace(",", " ").replace("|", "/"))


def _beancount(journal: Journal) -> Iterator[str]:
    yield f"option {_quoted('title')} {_quoted(_title(journal))}"
    for currency in journal.currencies:
        yield f"option {_quoted('operating_currency')} {_quoted(currency)}"
    for name in journal.accounts:
        yield f"{journal.first_day} open {_bean_path(account(name))}"
        yield f"  number: {_quoted(account(name).number)}\n  meaning: {_quoted(account(name).meaning)}"
    carried = list(journal.carried_over())
    if carried:
        yield f"\n{journal.first_day} * {_quoted(_OPENING)}"
        yield from (_bean_line(balance.account, balance) for balance in carried)
    for entry in journal.entries:
        yield from _bean_entry(journal, entry)
    # Beancount looks at a balance as its day begins.
    after = journal.last_day + timedelta(days=1)
    for balance in journal.closing:
        amount = f"{plain_amount(balance.amount)} ~ {plain_amount(balance.amount - balance.amount)}"
        yield f"{after} balance {_bean_path(account(balance.account))}  {amount} {balance.amount.currency}"


def _bean_entry(journal: Journal, entry: JournalEntry) -> Iterator[str]:
    yield f"\n{entry.booked_on} * {_quoted(entry.text)}"
    yield f"  id: {_quoted(str(entry.id))}\n  source: {_quoted(entry.source)}"
    for posting in entry.postings:
        yield _bean_line(posting.account, posting)
        if posting.counterparty:
            yield f"    counterparty: {_quoted(journal.counterparty(posting))}"
            yield f"    counterparty_id: {_quoted(str(posting.counterparty))}"


def _bean_line(name: str, told: Posting | Balance) -> str:
    return f"  {_bean_path(account(name))}  {plain_amount(told.amount)} {told.amount.currency}"


def _bean_path(told: Account) -> str:
    parts = [_BEANCOUNT[told.kind.value], *_below(told)]
    return ":".join("".join(word.capitalize() for word in part.split("_")) for part in parts)


def _quoted(text: str) -> str:
    escaped = one_line(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _title(journal: Journal) -> str:
    return f"Books of {one_line(journal.name)}, {journal.first_day} to {journal.last_day}"
