"""Journals for other programs: their own checkers take them, and their balances are ours."""

import csv
import io
import json
import subprocess
import sys
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from billing.accounting import journal_workbook
from billing.accounting.account import CHART, account
from billing.accounting.export_journal import export
from billing.accounting.journal import BalancesDiffer, Format, Journal, TooLong
from billing.accounting.journal_rows import pairs
from billing.accounting.ledger import JournalEntry, Posting, reverse
from billing.accounting.period_close import Balance
from billing.accounting.rules import entry_for_invoice, entry_for_payment, entry_for_payout
from billing.money import Money
from tests.peers import needs_beancount, needs_hledger, needs_ledger

OWNER, LESSEE, RUDE = (uuid5(UUID(int=0), name) for name in ("owner", "lessee", "rude"))
# What a name may do to a file: end a line, begin a comment, a tag, a formula or a quotation.
RUDE_NAME = '=1+1;\n2026-01-01 * "Ltd", x: y | \\ \u2028 夏普\x00'
MAY = date(2026, 5, 31)


def invoice(number: str, lessee: UUID, minor: int, currency: str) -> JournalEntry:
    nets = {
        category: Money(minor * share, currency)
        for category, share in {"lease_fixed": 7, "lease_variable": 3, "energy": 1, "deposit": 2, "penalty": 1}.items()
    }
    nets["service"] = Money(-minor, currency)
    return entry_for_invoice(
        invoice=uuid5(OWNER, f"{number}{currency}"),
        number=number,
        owner=OWNER,
        lessee=lessee,
        booked_on=MAY,
        nets=nets,
        tax=Money(minor * 2 - 1, currency),
    )


def paid(minor: int, *, fee: int, text: str, currency: str = "CNY") -> JournalEntry:
    return entry_for_payment(
        payment=uuid5(OWNER, text),
        owner=OWNER,
        payer=RUDE,
        booked_on=date(2026, 6, 5),
        amount=Money(minor, currency),
        allocated=Money(minor - 5, currency),
        by_card=bool(fee),
        fee=Money(fee, currency) if fee else None,
        text=text,
    )


def sums(entries: list[JournalEntry]) -> tuple[Balance, ...]:
    found: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        for posting in entry.postings:
            found[posting.account, posting.amount.currency] += posting.amount.minor
    return tuple(Balance(name, Money(minor, currency)) for (name, currency), minor in sorted(found.items()))


@pytest.fixture(scope="module")
def journal() -> Journal:
    before = [invoice("LS2026000001", LESSEE, 12_345, "CNY"), invoice("LS2026000002", RUDE, 777, "JPY")]
    card = paid(100_001, fee=333, text='Card "payment"; of\ninvoice, =LS2026000003')
    within = [
        invoice("LS2026000003", RUDE, 99_999_999, "CNY"),
        invoice("LS2026000004", LESSEE, 3, "KWD"),
        card,
        paid(50, fee=0, text="transfer"),
        entry_for_payout(
            payout=uuid5(OWNER, "out"), owner=OWNER, booked_on=date(2026, 6, 6), amount=Money(99_668, "CNY"), text="Out"
        ),
        reverse(card, on=date(2026, 6, 7), reason="undone"),
    ]
    return Journal(
        owner=OWNER,
        name="Maker; Sons\n& Co",
        first_day=date(2026, 5, 31),
        last_day=date(2026, 6, 30),
        opening=sums(before),
        entries=tuple(within),
        closing=sums([*before, *within]),
        names={LESSEE: "SME", RUDE: RUDE_NAME},
    )


def written(journal: Journal, form: Format, folder: Path) -> Path:
    file = export(journal, form)
    path = folder / file.name
    path.write_bytes(file.content)
    return path


def asked(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def ours(journal: Journal) -> dict[tuple[str, str], Decimal]:
    """Balances by the account's last word and currency, without zeros."""
    return {
        (each.account.rpartition(".")[2], each.amount.currency): each.amount.decimal
        for each in journal.closing
        if each.amount
    }


def wrong_by_a_cent(text: str) -> str:
    """The file with one posting changed, and another one against it, so that every entry still adds up."""
    for old, new in (("cash  996.68", "cash  996.69"), ("clearing  -996.68", "clearing  -996.69")):
        for spelled_old, spelled_new in ((old, new), (old.capitalize(), new.capitalize())):
            text = text.replace(spelled_old, spelled_new, 1)
    return text


@needs_hledger
def test_hledger_takes_it_and_has_our_balances(journal: Journal, tmp_path: Path) -> None:
    path = written(journal, Format.HLEDGER, tmp_path)
    asked("hledger", "-f", path, "check", "--strict", "ordereddates")
    table = csv.reader(io.StringIO(asked("hledger", "-f", path, "balance", "--flat", "-O", "csv", "--layout=bare")))
    found = {(row[0].rpartition(":")[2], row[1]): Decimal(row[2]) for row in table if ":" in row[0]}
    assert found == ours(journal)
    path.write_text(wrong_by_a_cent(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(AssertionError, match=r"996\.69|assertion"):
        asked("hledger", "-f", path, "check")


@needs_ledger
def test_ledger_takes_it_and_has_our_balances(journal: Journal, tmp_path: Path) -> None:
    path = written(journal, Format.LEDGER, tmp_path)
    shown = asked("ledger", "-f", path, "--pedantic", "--args-only", "csv")
    found: Counter[tuple[str, str]] = Counter()
    for row in csv.reader(io.StringIO(shown)):
        found[row[3].rpartition(":")[2], row[4]] += Decimal(row[5])  # type: ignore[assignment]
    assert {key: amount for key, amount in found.items() if amount} == ours(journal)
    path.write_text(wrong_by_a_cent(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(AssertionError, match="assertion"):
        asked("ledger", "-f", path, "balance")


@needs_beancount
def test_beancount_takes_it_and_has_our_balances(journal: Journal, tmp_path: Path) -> None:
    path = written(journal, Format.BEANCOUNT, tmp_path)
    check = (sys.executable, "-m", "beancount.scripts.check", path)
    assert asked(*check) == ""
    path.write_text(wrong_by_a_cent(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(AssertionError, match="Balance failed"):
        asked(*check)


def test_csv_and_workbook_hold_every_posting_and_no_formula(journal: Journal, tmp_path: Path) -> None:
    text = export(journal, Format.CSV).content.decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(text)))
    found: Counter[tuple[str, str]] = Counter()
    for line in lines:
        amount = Decimal(line["debit"] or 0) - Decimal(line["credit"] or 0)
        found[line["account"].rpartition(".")[2], line["currency"]] += amount  # type: ignore[assignment]
        assert line["number"] == account(line["account"]).number
    assert {key: amount for key, amount in found.items() if amount} == ours(journal)
    assert not [cell for line in lines for cell in line.values() if cell.startswith(("=", "@", "+", "-"))]
    assert {line["document"] for line in lines if line["source"] == "invoice"} == {"LS2026000003", "LS2026000004"}

    book = load_workbook(written(journal, Format.XLSX, tmp_path))
    sheet = list(book["Journal"].iter_rows(min_row=2))
    assert len(sheet) == len(lines)
    assert {cell.data_type for row in sheet for cell in row} <= {"s", "inlineStr", "n", "d"}
    formats = {(row[9].value, row[7].number_format) for row in sheet if row[7].value}
    assert formats == {("CNY", "#,##0.00"), ("JPY", "#,##0"), ("KWD", "#,##0.000")}
    in_sheet = [[Decimal(str(cell.value or 0)) for cell in row[7:9]] for row in sheet]
    assert in_sheet == [[Decimal(line[side] or 0) for side in ("debit", "credit")] for line in lines]
    balances = list(book["Balances"].iter_rows(min_row=2, values_only=True))
    closing = {(str(row[1]).rpartition(".")[2], str(row[3])): Decimal(str(row[7])) for row in balances if row[7]}
    assert closing == ours(journal)
    for row in balances:
        opening, debit, credit, end = (Decimal(str(value)) for value in row[4:])
        assert opening + debit - credit == end


def test_posting_files_carry_our_balances_by_account_number(journal: Journal) -> None:
    by_number = {(account(each.account).number, each.amount.currency): each.amount.decimal for each in journal.closing}
    wanted = {key: amount for key, amount in by_number.items() if amount}
    pairs_: Counter[tuple[str, str]] = Counter()
    for row in table(journal, Format.DATEV):
        amount, currency = Decimal(row["Umsatz (ohne Soll/Haben-Kz)"].replace(",", ".")), row["WKZ Umsatz"]
        assert amount > 0
        pairs_[row["Konto"], currency] += amount  # type: ignore[assignment]
        pairs_[row["Gegenkonto (ohne BU-Schlüssel)"], currency] -= amount  # type: ignore[assignment]
    lines: Counter[tuple[str, str]] = Counter()
    documents: Counter[tuple[str, str]] = Counter()
    for row in table(journal, Format.SAP):
        sign = {"40S": 1, "50H": -1}[row["BSCHL"] + row["SHKZG"]]
        lines[row["HKONT"], row["WAERS"]] += sign * Decimal(row["WRBTR"])  # type: ignore[assignment]
        documents[row["BELNR"], row["WAERS"]] += sign * Decimal(row["WRBTR"])  # type: ignore[assignment]
    assert {key: amount for key, amount in pairs_.items() if amount} == wanted
    assert {key: amount for key, amount in lines.items() if amount} == wanted
    assert set(documents.values()) == {0}


def table(journal: Journal, form: Format) -> list[dict[str, str]]:
    text = export(journal, form).content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text), delimiter=";"))


def test_json_holds_the_same(journal: Journal) -> None:
    told = json.loads(export(journal, Format.JSON).content)
    assert {(each["account"], each["currency"]): each["amount"] for each in told["closing"]} == {
        (each.account, each.amount.currency): f"{each.amount.decimal:f}" for each in journal.closing
    }
    assert [len(entry["postings"]) for entry in told["entries"]] == [len(entry.postings) for entry in journal.entries]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(CHART), st.integers(-500, 500), st.sampled_from(["CNY", "JPY"])), max_size=8))
def test_pairs_make_the_same_sums_as_the_entry(drawn: list[tuple[object, int, str]]) -> None:
    names = [told.name for told in CHART]
    postings = [
        Posting(names[index % len(names)], Money(minor, currency)) for index, (_, minor, currency) in enumerate(drawn)
    ]
    for currency in ("CNY", "JPY"):
        rest = sum(each.amount.minor for each in postings if each.amount.currency == currency)
        postings.append(Posting("write_off", Money(-rest, currency)))
    found: Counter[tuple[str, str]] = Counter()
    for debit, credit, amount in pairs(postings):
        assert amount.minor > 0
        found[debit, amount.currency] += amount.minor
        found[credit, amount.currency] -= amount.minor
    wanted: Counter[tuple[str, str]] = Counter()
    for posting in postings:
        wanted[posting.account, posting.amount.currency] += posting.amount.minor
    assert {key: minor for key, minor in found.items() if minor} == {
        key: minor for key, minor in wanted.items() if minor
    }


def test_a_workbook_that_would_lose_rows_is_refused(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_workbook, "_MOST_ROWS", 10)
    with pytest.raises(TooLong, match="CSV"):
        export(journal, Format.XLSX)


def test_a_journal_that_does_not_add_up_is_refused(journal: Journal) -> None:
    with pytest.raises(BalancesDiffer, match="cash CNY"):
        Journal(
            owner=OWNER,
            name="Maker",
            first_day=journal.first_day,
            last_day=journal.last_day,
            opening=journal.opening,
            entries=journal.entries[:-3],
            closing=journal.closing,
            names={},
        )
