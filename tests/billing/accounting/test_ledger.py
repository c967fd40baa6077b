from datetime import date
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.accounting.account import CHART, UnknownAccount
from billing.accounting.ledger import JournalEntry, Posting, Unbalanced, reverse, sums
from billing.accounting.rules import entry_for_invoice, entry_for_payment, entry_for_payout
from billing.money import Money

OWNER, LESSEE = UUID(int=1), UUID(int=2)
DAY = date(2026, 6, 1)
CATEGORIES = ("lease_fixed", "lease_variable", "service", "energy", "penalty", "deposit")
amounts = st.integers(-(10**12), 10**12).map(lambda minor: Money(minor, "CNY"))


def test_postings_that_do_not_sum_to_zero_are_refused() -> None:
    with pytest.raises(Unbalanced, match="does not sum to zero"):
        JournalEntry(
            OWNER,
            "test",
            uuid4(),
            DAY,
            "off by one",
            (Posting("cash", Money(2, "CNY")), Posting("fees", Money(-1, "CNY"))),
        )


def test_each_currency_balances_on_its_own() -> None:
    with pytest.raises(Unbalanced):
        JournalEntry(
            OWNER, "test", uuid4(), DAY, "mixed", (Posting("cash", Money(1, "CNY")), Posting("fees", Money(-1, "EUR")))
        )


def test_an_account_outside_the_chart_is_refused() -> None:
    with pytest.raises(UnknownAccount, match="receivable"):
        Posting("petty_cash", Money(1, "CNY"))


def test_account_names_and_numbers_are_unique() -> None:
    assert len({account.name for account in CHART}) == len({account.number for account in CHART}) == len(CHART)


@given(st.dictionaries(st.sampled_from(CATEGORIES), amounts), amounts)
def test_an_invoice_entry_balances_and_charges_the_lessee(nets: dict[str, Money], tax: Money) -> None:
    entry = entry_for_invoice(
        invoice=uuid4(), number="X", owner=OWNER, lessee=LESSEE, booked_on=DAY, nets=nets, tax=tax
    )
    assert set(sums(entry.postings).values()) <= {0}
    assert entry.postings[0].amount.minor == sum(net.minor for net in nets.values()) + tax.minor
    assert entry.postings[0].counterparty == LESSEE


@given(amounts, amounts, amounts, st.booleans())
def test_a_payment_entry_balances(amount: Money, allocated: Money, fee: Money, by_card: bool) -> None:
    entry = entry_for_payment(
        payment=uuid4(),
        owner=OWNER,
        payer=LESSEE,
        booked_on=DAY,
        amount=amount,
        allocated=allocated,
        by_card=by_card,
        fee=fee,
        text="p",
    )
    settled = sum(posting.amount.minor for posting in entry.postings if posting.account == "receivable")
    assert settled == -allocated.minor


def test_card_money_waits_in_clearing_until_it_is_paid_out() -> None:
    paid = entry_for_payment(
        payment=uuid4(),
        owner=OWNER,
        payer=LESSEE,
        booked_on=DAY,
        amount=Money(1000, "CNY"),
        allocated=Money(1000, "CNY"),
        by_card=True,
        fee=Money(29, "CNY"),
        text="card",
    )
    out = entry_for_payout(payout=uuid4(), owner=OWNER, booked_on=DAY, amount=Money(971, "CNY"), text="payout")
    balance: dict[str, int] = {}
    for posting in paid.postings + out.postings:
        balance[posting.account] = balance.get(posting.account, 0) + posting.amount.minor
    assert balance == {"clearing": 0, "fees": 29, "receivable": -1000, "cash": 971}


def test_a_reversal_takes_everything_back_and_is_itself_unique() -> None:
    entry = entry_for_payout(payout=uuid4(), owner=OWNER, booked_on=DAY, amount=Money(5, "CNY"), text="payout")
    back = reverse(entry, on=DAY, reason="wrong bank")
    assert [posting.amount.minor for posting in back.postings] == [-5, 5]
    assert back.id == reverse(entry, on=date(2026, 7, 1), reason="again").id != entry.id
