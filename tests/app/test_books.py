"""An owner's books as the commands give them out, on the real database: issued, paid in part, undone."""

import csv
import io
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid5

import pytest
from typer.testing import CliRunner

from app.cli import application
from app.closing import issue
from app.database import Database, Role
from billing.accounting.ledger import JournalEntry, Posting
from billing.accounting.store import LedgerStore
from billing.invoicing.invoice import Invoice, Party, Status, Terms
from billing.invoicing.line import InvoiceLine
from billing.invoicing.store import InvoiceStore
from billing.money import Money
from billing.payments.payment import Payment
from billing.payments.settle import settle, unsettle
from billing.payments.store import PaymentStore
from metering.period import Period
from tests.builders import JUNE, Shop, open_shop
from tests.conftest import Postgres
from tests.peers import needs_hledger

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def books(postgres: Postgres) -> Iterator[Shop]:
    """Two invoices of the maker, of 1 June and 20 July 2026; the first paid in part, another payment undone."""
    name = postgres.create(template=postgres.template)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPINDLESHARE_MIGRATE_URL", postgres.migrate_url(name))
        patch.setenv("SPINDLESHARE_RUN_URL", postgres.run_url(name))
        database = Database(postgres.run_url(name), pool=2)
        yield filled(database)
        database.close()
    postgres.drop(name)


def filled(database: Database) -> Shop:
    shop = open_shop(database, name="maker")
    first = issued(shop, JUNE, ("lease_fixed", "1000.00", "S", "0.13"), ("service", "600.00", "S", "0.06"))
    second = issued(shop, JUNE + 49 * DAY, ("energy", "10.05", "S", "0.13"), ("penalty", "36.00", "Z", "0"))
    pay(shop, first, "500.00", JUNE + 30 * DAY, undone=None)
    pay(shop, second, "20.00", JUNE + 50 * DAY, undone=JUNE + 61 * DAY)
    return shop


def issued(shop: Shop, at: datetime, *lines: tuple[str, str, str, str]) -> Invoice:
    draft = Invoice(
        lease=shop.lease().id,
        period=Period(at - DAY, at),
        ordinal=0,
        status=Status.REVIEW,
        seller=Party(shop.maker.id, shop.maker.name, zone=shop.maker.zone),
        buyer=Party(shop.sme.id, shop.sme.name),
        currency="CNY",
        lines=tuple(
            InvoiceLine(name, name, name, None, "", None, net, Money.of(net, "CNY"), category, Decimal(rate))
            for name, net, category, rate in lines
        ),
        terms=Terms("worked", 1, "ab" * 32, "line", "Mill-turn 1", shop.listing.zone),
    )
    with shop.database.transaction(Role.WORKER) as session:
        InvoiceStore(session).save(draft, now=at)
    (found,) = issue(shop.database, [draft.id], now=at)
    return found


def pay(shop: Shop, invoice: Invoice, amount: str, at: datetime, *, undone: datetime | None) -> None:
    payment = Payment(
        id=uuid5(invoice.id, amount),
        lessor=shop.maker.id,
        lessee=shop.sme.id,
        amount=Money.of(amount, "CNY"),
        fee=Money.of("1.50", "CNY"),
        received_on=at.date(),
        intent=f"pi_{amount}",
    )
    with shop.database.transaction(Role.WORKER) as session:
        stores = {"payments": PaymentStore(session), "ledger": LedgerStore(session)}
        settle(payment, replace(invoice), by="automatic", reason="test", now=at, **stores)
        if undone:
            unsettle(payment, zone=shop.maker.zone, by="somebody", now=undone, **stores)


def told(*arguments: str) -> str:
    done = CliRunner().invoke(application(arguments), list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def as_json(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(told(*arguments))
    return found


def balance(shop: Shop, account: str, until: date) -> Decimal:
    with shop.database.transaction(Role.WORKER) as session:
        found = LedgerStore(session).trial_balance(shop.maker.id, until=until)
    return sum((each.amount.decimal for each in found if each.account == account), Decimal(0))


@needs_hledger
def test_an_exported_month_begins_where_the_one_before_ended(books: Shop, tmp_path: Path) -> None:
    for month, last in (("2026-06", date(2026, 6, 30)), ("2026-07", date(2026, 7, 31)), ("2026-08", date(2026, 8, 31))):
        path = tmp_path / f"{month}.journal"
        assert "of Maker" in told("journal", "export", "--format", "hledger", "--period", month, "-o", str(path))
        checked = subprocess.run(["hledger", "-f", path, "check", "-s"], capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")
        shown = subprocess.check_output(
            ["hledger", "-f", path, "balance", "assets:receivable", "-N", "-O", "csv"], text=True
        )
        row = list(csv.reader(io.StringIO(shown)))[1]
        assert Decimal(row[1].removesuffix(" CNY")) == balance(books, "receivable", last)


def test_a_folder_gets_a_named_file_and_wrong_owners_are_told(books: Shop, tmp_path: Path) -> None:
    told("journal", "export", "--format", "xlsx", "--period", "2026-06", "--owner", "MAKER", "--output", str(tmp_path))
    assert (tmp_path / "journal-maker-2026-06-01-2026-06-30.xlsx").read_bytes()[:2] == b"PK"
    found = as_json("journal", "export", "--format", "json", "--period", "2026-06-01/2026-06-02")
    assert [entry["document"] for entry in found["entries"]] == ["LS2026000001"]
    arguments = ["journal", "export", "--format", "csv", "--period", "2026-06", "--owner", "nobody"]
    refused = CliRunner().invoke(application(arguments), arguments)
    assert "0 organisations are called 'nobody'" in str(refused.exception)


def test_vat_by_category_and_rate_as_the_ledger_has_it(books: Shop) -> None:
    june, summer = (
        as_json("report", "vat", "--period", period, "--json") for period in ("2026-06", "2026-06-01/2026-09-01")
    )
    assert [(row["category"], row["rate"], row["net"], row["tax"], row["invoices"]) for row in summer["rows"]] == [
        ("S", "0.13", "1010.05", "131.31", 2),
        ("S", "0.06", "600.00", "36.00", 1),
        ("Z", "0", "36.00", "0.00", 1),
    ]
    assert [document["number"] for document in june["documents"]] == ["LS2026000001"]
    for told_, owed in ((june, "166.00"), (summer, "167.31")):
        assert told_["ledger"] == [{"currency": "CNY", "charged": owed, "booked": owed, "difference": "0.00"}]
    assert "they agree" in told("report", "vat", "--period", "2026-06")


@pytest.mark.parametrize(
    ("on", "open_", "total"),
    [
        ("2026-05-31", {}, None),
        ("2026-06-15", {"not_due": "1766.00"}, "1766.00"),
        ("2026-06-30", {"1_30": "1766.00"}, "1766.00"),
        ("2026-07-15", {"1_30": "1266.00"}, "1266.00"),
        ("2026-07-31", {"31_60": "1266.00", "not_due": "27.36"}, "1293.36"),
        # The payment of 20.00 was undone on 1 August.
        ("2026-08-01", {"31_60": "1266.00", "not_due": "47.36"}, "1313.36"),
        ("2026-09-13", {"61_90": "1266.00", "31_60": "47.36"}, "1313.36"),
        ("2026-09-14", {"over_90": "1266.00", "31_60": "47.36"}, "1313.36"),
    ],
)
def test_what_was_owed_on_a_day_is_what_the_ledger_says_of_that_day(
    books: Shop, on: str, open_: dict[str, str], total: str | None
) -> None:
    found = as_json("report", "ageing", "--on", on, "--json")
    if total is None:
        assert found["customers"] == []
        return
    (customer,) = found["customers"]
    assert {name: amount for name, amount in customer["open"].items() if amount != "0.00"} == open_
    assert (customer["total"], customer["booked"], customer["difference"]) == (total, total, "0.00")
    assert Decimal(total) == balance(books, "receivable", date.fromisoformat(on))


def test_books_that_say_something_else_end_with_exit_code_1(books: Shop) -> None:
    wrong = JournalEntry(
        books.maker.id,
        "typed",
        books.sme.id,
        date(2027, 1, 5),
        "typed by hand",
        (Posting("receivable", Money(700, "CNY"), books.sme.id), Posting("vat_output", Money(-700, "CNY"))),
    )
    with books.database.transaction(Role.WORKER) as session:
        LedgerStore(session).post(wrong, now=JUNE)
    for arguments in (["vat", "--period", "2027-01"], ["ageing", "--on", "2027-01-31"]):
        done = CliRunner().invoke(application(["report"]), ["report", *arguments])
        assert done.exit_code == 1
        assert "7.00 CNY" in done.output
