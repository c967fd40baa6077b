"""Many workers on the same period at once, and one that dies in the middle: one result, whole."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from app.closing import close, close_in, issue
from app.database import Database, Role
from billing.accounting.store import LedgerStore
from billing.invoicing.close_period import Closing
from billing.invoicing.invoice import Invoice, Status
from billing.invoicing.issue_invoice import issue_invoice
from billing.invoicing.store import InvoiceStore
from metering.period import Period
from tests.builders import JUNE, MAY, Shop, add_organisation, open_shop, running, seal_life

WORKERS = 6


@pytest.fixture
def shop(database: Database) -> Shop:
    """Eight lessees, an hour each."""
    shop = open_shop(database)
    hours = [Period(MAY.start + timedelta(hours=n), MAY.start + timedelta(hours=n + 1)) for n in range(8)]
    for number, hour in enumerate(hours):
        shop.book(shop.lease(add_organisation(shop, f"lessee {number}")), hour)
    day = Period(MAY.start, MAY.start + timedelta(days=1))
    shop.ingest(seal_life(shop, {q.start: running() for hour in hours for q in hour.quarter_hours()}, day))
    return shop


def at_once(work: Callable[[int], object]) -> list[object]:
    """`work` by several threads that start together."""
    gate = threading.Barrier(WORKERS)

    def run(number: int) -> object:
        gate.wait()
        return work(number)

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(run, range(WORKERS)))


def in_books(shop: Shop) -> tuple[list[Invoice], int, int]:
    """The invoices of May, the sum of all postings and the receivables, in minor units."""
    with shop.database.transaction(Role.WORKER) as session:
        balances = LedgerStore(session).trial_balance()
        owed = sum(balance.amount.minor for balance in balances if balance.account == "receivable")
        return InvoiceStore(session).of_period(MAY), sum(balance.amount.minor for balance in balances), owed


def test_closing_and_issuing_at_once_gives_one_result(shop: Shop) -> None:
    def close_and_issue(number: int) -> Closing:
        closing = close(shop.database, MAY, now=JUNE)
        ids = [invoice.id for invoice in closing.invoices]
        issue(shop.database, ids[number:] + ids[:number], now=JUNE)
        return closing

    closings = at_once(close_and_issue)
    assert sum(len(closing.changed) for closing in closings if isinstance(closing, Closing)) == 8
    invoices, balance, receivable = in_books(shop)
    assert sorted(invoice.number or "" for invoice in invoices) == [f"LS2026{n:06d}" for n in range(1, 9)]
    assert len({invoice.lease for invoice in invoices}) == 8
    assert balance == 0
    assert receivable == sum(invoice.total.minor for invoice in invoices)
    assert close(shop.database, MAY, now=JUNE).changed == frozenset()


def test_numbers_stay_gapless_when_some_transactions_abort(shop: Shop) -> None:
    drafts = [invoice.id for invoice in close(shop.database, MAY, now=JUNE).invoices]

    class PowerCut(Exception):
        pass

    def issue_some(number: int) -> None:
        for index, draft in enumerate(drafts):
            try:
                with shop.database.transaction(Role.WORKER) as session:
                    issue_invoice(draft, invoicing=InvoiceStore(session), ledger=LedgerStore(session), now=JUNE)
                    if (index + number) % 3 == 0:
                        raise PowerCut
            except PowerCut:
                continue

    at_once(issue_some)
    invoices, balance, receivable = in_books(shop)
    issued = [invoice for invoice in invoices if invoice.status is Status.ISSUED]
    numbers = sorted(invoice.number or "" for invoice in issued)
    assert numbers == [f"LS2026{n:06d}" for n in range(1, len(issued) + 1)]
    assert (balance, receivable) == (0, sum(invoice.total.minor for invoice in issued))
    assert issued


def test_a_close_that_dies_leaves_nothing(shop: Shop) -> None:
    def dies_at_the_end() -> None:
        with shop.database.transaction(Role.WORKER) as session:
            assert close_in(session, MAY, now=JUNE).invoices
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dies_at_the_end()
    assert in_books(shop)[0] == []
    assert len(close(shop.database, MAY, now=JUNE).changed) == 8


def test_a_connection_lost_while_issuing_leaves_no_number_and_no_entry(shop: Shop) -> None:
    (draft, *_) = close(shop.database, MAY, now=JUNE).invoices

    def loses_its_connection() -> None:
        with shop.database.transaction(Role.WORKER) as session:
            issue_invoice(draft.id, invoicing=InvoiceStore(session), ledger=LedgerStore(session), now=JUNE)
            session.execute(text("RESET ROLE"))
            session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(OperationalError):
        loses_its_connection()
    invoices, balance, receivable = in_books(shop)
    assert all(invoice.status is Status.DRAFT for invoice in invoices)
    assert (balance, receivable) == (0, 0)
    (issued,) = issue(shop.database, [draft.id], now=JUNE)
    assert issued.number == "LS2026000001"


def test_the_database_itself_refuses_to_change_what_is_issued(shop: Shop) -> None:
    (draft, *_) = close(shop.database, MAY, now=JUNE).invoices
    issue(shop.database, [draft.id], now=JUNE)
    for change in (
        "UPDATE invoice SET due_date = due_date + 30 WHERE status = 'issued'",
        "UPDATE invoice_line SET amount_minor = 1",
        "DELETE FROM invoice_line",
    ):
        with (
            pytest.raises(IntegrityError, match=r"stays? as"),
            shop.database.transaction(Role.WORKER) as session,
        ):
            session.execute(text(change))


def test_a_lease_is_never_billed_twice_for_the_same_time(shop: Shop) -> None:
    close(shop.database, MAY, now=JUNE)
    first_week = Period(MAY.start, MAY.start + timedelta(days=7))
    again = close(shop.database, first_week, now=JUNE)
    assert (again.invoices, len(again.parked)) == ((), 8)
    assert all("which overlaps" in parked.reason for parked in again.parked)


def test_a_lessee_sees_its_own_invoice_and_cannot_touch_it(shop: Shop) -> None:
    closing = close(shop.database, MAY, now=JUNE)
    mine = closing.invoices[0]
    with shop.database.transaction(Role.APP, party=mine.buyer.id) as session:
        assert InvoiceStore(session).of_period(MAY) == [mine]
        session.execute(text("UPDATE invoice SET held = 'I would rather not'"))
    assert in_books(shop)[0][0].held is None
