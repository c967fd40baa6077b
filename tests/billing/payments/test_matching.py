"""Which invoice a bank line pays; and that nothing doubtful is decided without a person."""

from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import Money
from billing.payments.matching import OpenInvoice, OpenInvoices, Proposal, propose, propose_all
from billing.payments.reference import creditor_reference
from billing.payments.statement import BankTransaction

SPACE = UUID(int=7)


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


def invoice(number: str, minor: int = 178_496, buyer: str = "Beta Precision GmbH") -> OpenInvoice:
    return OpenInvoice(uuid5(SPACE, number), number, creditor_reference(number), eur(minor), buyer)


A = invoice("LS2026050017")
B = invoice("LS2026050018", 99_900, "Gamma Tools AG")


def line(minor: int, *texts: str, reference: str = "", party: str = "", **more: str) -> BankTransaction:
    references = (reference,) if reference else ()
    return BankTransaction(eur(minor), references, texts, party, **more)


def decide(transaction: BankTransaction, *invoices: OpenInvoice) -> Proposal:
    return propose(transaction, OpenInvoices(invoices or (A, B)))


@pytest.mark.parametrize(
    "transaction",
    [
        line(178_496, reference="RF28LS2026050017"),
        line(178_496, "RF28 LS20 2605 0017"),
        line(178_496, "Rechnung LS2026050017 vom 31.05.2026"),
        line(178_496, "rechnung ls-2026-05-0017"),
        line(178_496, "RECHNUNG LS202605", "0017 VOM 31.05.2026"),
        line(178_496, "InvLS2026050017/MAY"),
        line(178_496, "LS2026050017", "again: LS2026050017", reference="RF28LS2026050017"),
        line(178_496, end_to_end_id="LS2026050017"),
    ],
)
def test_named_and_exact_is_automatic(transaction: BankTransaction) -> None:
    assert decide(transaction).automatic == A


@pytest.mark.parametrize(
    ("transaction", "note"),
    [
        (line(178_495, "LS2026050017"), "0.01 EUR less than is open"),
        (line(178_596, "LS2026050017"), "1.00 EUR more than is open"),
        (BankTransaction(Money(178_496, "USD"), ("RF28LS2026050017",)), "paid in USD, invoiced in EUR"),
        (line(178_496, "RF29LS2026050017"), "reference RF29LS2026050017 has wrong check digits"),
        (line(178_496, "LS2026050017 and LS2026050018"), "names 2 open invoices"),
        (line(178_496, "LS2026050017", reference="RF18539007547034"), "the structured reference is RF18539007547034"),
        (line(178_496, "LS2026050017", returned="AC04"), "a payment that came back (AC04)"),
    ],
)
def test_named_but_doubtful_is_proposed_with_the_reason(transaction: BankTransaction, note: str) -> None:
    proposal = decide(transaction)
    assert proposal.automatic is None
    assert proposal.candidates[0].invoice == A
    assert proposal.note == note


@pytest.mark.parametrize(
    "transaction",
    [
        line(178_496, "LS20260500171"),
        line(178_496, "1LS202605001"),
        line(178_496, "LS2026050071"),
        line(178_496, "LS202605 00170"),
    ],
)
def test_another_number_names_nothing_but_the_amount_is_proposed(transaction: BankTransaction) -> None:
    proposal = decide(transaction)
    assert proposal.automatic is None
    assert proposal.note == "names no open invoice"
    assert [candidate.invoice for candidate in proposal.candidates] == [A]
    assert proposal.candidates[0].doubts == ("the invoice is not named",)


def test_the_buyers_name_ranks_but_never_decides() -> None:
    twin = invoice("LS2026050099", buyer="Delta")
    proposal = decide(line(178_496, "thank you", party="BETA PRECISION"), twin, A)
    assert proposal.automatic is None
    assert [candidate.invoice for candidate in proposal.candidates] == [A, twin]
    assert "payer BETA PRECISION is the buyer" in proposal.candidates[0].reasons


def test_money_going_out_pays_nothing() -> None:
    assert decide(line(-178_496, "LS2026050017")) == Proposal(None, (), "money going out pays no invoice of ours")


def test_the_second_payment_of_the_same_invoice_is_not_automatic() -> None:
    twice = [line(178_496, "LS2026050017")] * 2
    first, second = propose_all(twice, OpenInvoices([A, B]))
    assert first.automatic == A
    assert (second.automatic, second.candidates) == (None, ())


def test_a_longer_number_hides_the_shorter_inside_it() -> None:
    short, long = invoice("26050017", 178_496), A
    assert decide(line(178_496, "LS2026050017"), short, long).automatic == long


numbers = st.integers(1, 60).map(lambda count: f"LS2026{count:06d}")
texts = st.lists(
    st.one_of(numbers, numbers.map(creditor_reference), st.text(" /-LSRF0126", max_size=8)), max_size=3
).map(" ".join)


@given(st.lists(st.tuples(numbers, st.integers(1, 5)), unique_by=lambda pair: pair[0]), texts, st.integers(1, 5))
def test_automatic_means_named_alone_and_exact(open_ones: list[tuple[str, int]], text: str, minor: int) -> None:
    invoices = [invoice(number, amount) for number, amount in open_ones]
    proposal = decide(line(minor, text), *invoices) if invoices else Proposal(None, ())
    if proposal.automatic:
        squeezed = "".join(char for char in text if char.isalnum())
        named = [each for each in invoices if each.number in squeezed]
        assert proposal.automatic in named
        assert proposal.automatic.open == eur(minor)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=8), st.data())
def test_no_invoice_is_taken_twice(amounts: list[int], data: st.DataObject) -> None:
    invoices = [invoice(f"LS2026{place:06d}", amount) for place, amount in enumerate(amounts)]
    payments = data.draw(st.lists(st.tuples(st.sampled_from(invoices), st.integers(1, 3)), max_size=12))
    lines = [line(minor, each.number) for each, minor in payments]
    taken = [each.automatic.id for each in propose_all(lines, OpenInvoices(invoices)) if each.automatic]
    assert len(taken) == len(set(taken))
