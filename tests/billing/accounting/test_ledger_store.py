"""The ledger's own guards, on the real database."""

from dataclasses import replace
from datetime import date
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from app.database import Database, Role
from billing.accounting.account import CHART
from billing.accounting.ledger import JournalEntry, Posting, reverse
from billing.accounting.period_close import PeriodClose, balance_digest
from billing.accounting.rules import entry_for_payment
from billing.accounting.store import BookedDifferently, LedgerStore, PeriodClosed
from billing.money import Money
from metering.parties.store import PartyStore
from tests.builders import BEFORE_MAY, JUNE, organisation

DAY = date(2026, 6, 1)
MAKER, SME = organisation("maker"), organisation("sme")


@pytest.fixture
def books(database: Database) -> Database:
    with database.transaction(Role.WORKER) as session:
        for party in (MAKER, SME):
            PartyStore(session).add_organisation(party, now=BEFORE_MAY)
    return database


def paid(minor: int = 1000, *, payment: UUID | None = None) -> JournalEntry:
    money = Money(minor, "CNY")
    return entry_for_payment(
        payment=payment or uuid4(),
        owner=MAKER.id,
        payer=SME.id,
        booked_on=DAY,
        amount=money,
        allocated=money,
        by_card=False,
        text="transfer",
    )


def post(books: Database, *entries: JournalEntry) -> list[bool]:
    with books.transaction(Role.WORKER) as session:
        return [LedgerStore(session).post(entry, now=JUNE) for entry in entries]


def test_the_chart_in_the_database_is_the_chart(books: Database) -> None:
    with books.transaction(Role.ANALYST) as session:
        rows = session.execute(text("SELECT name, number, kind, meaning FROM ledger_account ORDER BY number")).all()
    assert [tuple(row) for row in rows] == [
        (account.name, account.number, account.kind.value, account.meaning) for account in CHART
    ]


def test_booking_twice_is_a_no_op_and_booking_otherwise_is_refused(books: Database) -> None:
    entry = paid()
    assert post(books, entry, entry) == [True, False]
    with pytest.raises(BookedDifferently):
        post(books, paid(999, payment=entry.source_id))
    assert post(books, reverse(entry, on=DAY, reason="returned")) == [True]
    with books.transaction(Role.APP, party=MAKER.id) as session:
        ledger = LedgerStore(session)
        assert ledger.entry(entry.id) == entry
        assert ledger.balance("cash", "CNY", owner=MAKER.id) == Money(0, "CNY")
        assert ledger.balance("receivable", "CNY", owner=MAKER.id, counterparty=SME.id) == Money(0, "CNY")
        assert len(ledger.entries(MAKER.id, DAY, DAY)) == 2


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=6))
def test_the_trial_balance_is_always_zero(books: Database, amounts: list[int]) -> None:
    post(books, *(paid(minor) for minor in amounts if minor))
    with books.transaction(Role.WORKER) as session:
        assert sum(balance.amount.minor for balance in LedgerStore(session).trial_balance()) == 0


def test_the_database_refuses_what_does_not_sum_to_zero_at_commit(books: Database) -> None:
    entry = paid()
    post(books, entry)
    late = "INSERT INTO posting VALUES (:entry, 9, :owner, 'cash', 5, 'CNY', NULL)"
    with pytest.raises(IntegrityError, match="does not sum to zero"), books.transaction(Role.WORKER) as session:
        session.execute(text(late), {"entry": entry.id, "owner": MAKER.id})
    bare = "INSERT INTO journal_entry VALUES (:id, :owner, 'test', :id, '2026-06-01', now(), 'bare')"
    with pytest.raises(IntegrityError, match="has no postings"), books.transaction(Role.WORKER) as session:
        session.execute(text(bare), {"id": uuid4(), "owner": MAKER.id})


@pytest.mark.parametrize("change", ["UPDATE posting SET amount_minor = 0", "DELETE FROM journal_entry"])
def test_nobody_may_change_the_ledger(books: Database, change: str) -> None:
    post(books, paid())
    with pytest.raises(ProgrammingError, match="permission denied"), books.transaction(Role.WORKER) as session:
        session.execute(text(change))


def test_nothing_is_booked_into_a_closed_period(books: Database) -> None:
    post(books, paid())
    with books.transaction(Role.WORKER) as session:
        ledger = LedgerStore(session)
        digest = balance_digest(ledger.trial_balance(MAKER.id, until=date(2026, 6, 30)))
        done = PeriodClose(MAKER.id, DAY, date(2026, 6, 30), JUNE, digest)
        ledger.record_close(done)
        ledger.record_close(done)
        assert ledger.closes(MAKER.id) == [done]
    with pytest.raises(PeriodClosed, match="2026-06-30"):
        post(books, paid())
    assert post(books, replace(paid(), booked_on=date(2026, 7, 1))) == [True]


def test_the_lessee_does_not_see_the_lessors_books(books: Database) -> None:
    post(books, paid())
    with books.transaction(Role.APP, party=SME.id) as session:
        assert LedgerStore(session).trial_balance() == []


def test_an_entry_in_several_currencies_balances_in_each(books: Database) -> None:
    postings = tuple(
        Posting(account, Money(sign * minor, currency))
        for currency, minor in (("CNY", 700), ("EUR", 90))
        for account, sign in (("cash", 1), ("clearing", -1))
    )
    assert post(books, JournalEntry(MAKER.id, "payout", uuid4(), DAY, "two currencies", postings)) == [True]
    with books.transaction(Role.WORKER) as session:
        balances = LedgerStore(session).trial_balance(MAKER.id)
    assert {(balance.account, str(balance.amount)) for balance in balances} == {
        ("cash", "7.00 CNY"),
        ("cash", "0.90 EUR"),
        ("clearing", "-7.00 CNY"),
        ("clearing", "-0.90 EUR"),
    }
