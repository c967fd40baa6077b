"""A journal as rows: CSV, and generic posting files in the manner of DATEV and SAP.

The two are generic: their columns carry the names that people there know, but no claim of conformity. Account numbers
are our chart's; map them at the import.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from billing.accounting.account import account
from billing.accounting.journal import Journal, document_number, one_line, plain_amount
from billing.accounting.ledger import Posting
from billing.money import Money

HEADINGS = (
    "date", "document", "source", "text", "line", "number", "account", "debit", "credit", "currency",
    "counterparty", "counterparty_id", "entry_id",
)  # fmt: skip
_DATEV = (
    "Umsatz (ohne Soll/Haben-Kz)", "Soll/Haben-Kennzeichen", "WKZ Umsatz", "Konto", "Gegenkonto (ohne BU-Schlüssel)",
    "Belegdatum", "Belegfeld 1", "Buchungstext",
)  # fmt: skip
_SAP = ("BELNR", "BUZEI", "BLART", "BUDAT", "BLDAT", "BSCHL", "HKONT", "SHKZG", "WRBTR", "WAERS", "XBLNR", "SGTXT")
_DOCUMENT_TYPES = {"invoice": "DR", "payment": "DZ"}
_OTHER_TYPE = "SA"
_DEBIT, _CREDIT = ("40", "S"), ("50", "H")
_DATEV_TEXT, _SAP_TEXT, _SAP_REFERENCE = 60, 50, 16
_OPENING = "opening"
_NO_FORMULA = "'"


@dataclass(frozen=True, slots=True)
class Document:
    """What an importing program takes in as one document: an entry, or the balances carried over."""

    day: date
    number: str
    source: str
    text: str
    postings: tuple[Posting, ...]
    id: str


def documents(journal: Journal) -> Iterator[Document]:
    """The balances carried over, if any, then every entry."""
    opening = tuple(Posting(balance.account, balance.amount) for balance in journal.carried_over())
    if opening:
        yield Document(journal.first_day, _OPENING, _OPENING, "Opening balances", opening, "")
    for entry in journal.entries:
        number, text = document_number(entry), one_line(entry.text)
        yield Document(entry.booked_on, number, entry.source, text, entry.postings, str(entry.id))


def rows(journal: Journal) -> Iterator[tuple[object, ...]]:
    """Every posting under `HEADINGS`: date, int, Money and text; of debit and credit one is empty text."""
    for document in documents(journal):
        for line, posting in enumerate(document.postings, start=1):
            head = (document.day, document.number, document.source, document.text, line)
            party = (journal.counterparty(posting), str(posting.counterparty or ""), document.id)
            yield (*head, *_sides(posting), *party)


def comma_separated(journal: Journal) -> str:
    """CSV for a spreadsheet: amounts with a point; text that would begin a formula has an apostrophe before it."""
    return _written([HEADINGS, *([_cell(value) for value in row] for row in rows(journal))], delimiter=",")


def datev(journal: Journal) -> str:
    """One line for each debit against a credit of the same entry, amounts without sign and with a comma."""
    lines: list[Sequence[str]] = [_DATEV]
    for document in documents(journal):
        for debit, credit, amount in pairs(document.postings):
            accounts = (account(debit).number, account(credit).number)
            told = (plain_amount(amount).replace(".", ","), "S", amount.currency, *accounts)
            lines.append((*told, f"{document.day:%d%m%Y}", _safe(document.number), _safe(document.text[:_DATEV_TEXT])))
    return _written(lines, delimiter=";")


def sap(journal: Journal) -> str:
    """One line for each posting, with the posting keys of a general ledger (40 debit, 50 credit)."""
    lines: list[Sequence[str]] = [_SAP]
    for number, document in enumerate(documents(journal), start=1):
        day, kind = f"{document.day:%Y%m%d}", _DOCUMENT_TYPES.get(document.source, _OTHER_TYPE)
        for line, posting in enumerate(document.postings, start=1):
            key, side = _DEBIT if posting.amount.minor >= 0 else _CREDIT
            told = (key, account(posting.account).number, side, plain_amount(_size(posting.amount)))
            end = (posting.amount.currency, _safe(document.number[:_SAP_REFERENCE]), _safe(document.text[:_SAP_TEXT]))
            lines.append((f"{number:010d}", f"{line:03d}", kind, day, day, *told, *end))
    return _written(lines, delimiter=";")


def pairs(postings: Iterable[Posting]) -> Iterator[tuple[str, str, Money]]:
    """An entry as (debit account, credit account, amount): debits meet credits of their currency, both in order."""
    found = list(postings)
    for currency in sorted({posting.amount.currency for posting in found}):
        sides = [(each.account, each.amount.minor) for each in found if each.amount.currency == currency]
        debits = [(name, minor) for name, minor in sides if minor > 0]
        yield from _meet(debits, [(name, -minor) for name, minor in sides if minor < 0], currency)


def _meet(
    debits: Iterable[tuple[str, int]], credited: Iterable[tuple[str, int]], currency: str
) -> Iterator[tuple[str, str, Money]]:
    others = iter(credited)
    against, left = "", 0
    for name, minor in debits:
        rest = minor
        while rest:
            against, left = (against, left) if left else next(others)  # the entry sums to zero: there is one
            part = min(rest, left)
            yield name, against, Money(part, currency)
            rest, left = rest - part, left - part


def _sides(posting: Posting) -> tuple[object, ...]:
    amount = posting.amount
    sides = (amount, "") if amount.minor >= 0 else ("", -amount)
    return (account(posting.account).number, posting.account, *sides, amount.currency)


def _cell(value: object) -> str:
    return plain_amount(value) if isinstance(value, Money) else _safe(str(value))


def _safe(text: str) -> str:
    return _NO_FORMULA + text if text[:1] in ("=", "+", "-", "@") else text


def _size(amount: Money) -> Money:
    return Money(abs(amount.minor), amount.currency)


def _written(lines: Iterable[Sequence[str]], *, delimiter: str) -> str:
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, lineterminator="\r\n").writerows(lines)
    return file.getvalue()
