"""Rate from scratch, bill the difference."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from billing.invoicing.invoice import Invoice, Party, PaymentState, Status, Terms, payment_state
from billing.invoicing.invoice_json import from_json, to_json
from billing.invoicing.line import InvoiceLine
from billing.invoicing.owed import owed
from billing.money import Money
from billing.pricing.measured import EvidenceRange
from metering.period import Period

MAY = Period(datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC))
TERMS = Terms("spindle", 1, "ab" * 32, "line", "Lathe 7", "Asia/Shanghai")
SELLER, BUYER = Party(UUID(int=1), "Maker", ("Street 1",), "CN", "91310000"), Party(UUID(int=2), "SME")
CODES = ("base", "runtime", "wear", "energy")


def line(code: str, minor: int, rate: str = "0.13") -> InvoiceLine:
    return InvoiceLine(
        code, code.title(), "lease_variable", Decimal("2.5000"), "h", Decimal("18.00"), str(minor), Money(minor, "CNY"),
        "S", Decimal(rate), ("worked so",), (EvidenceRange("M-1", 1, 9),),
    )  # fmt: skip


def bill(amounts: dict[str, int]) -> Invoice:
    lines = tuple(line(code, minor) for code, minor in amounts.items())
    return Invoice(UUID(int=5), MAY, 0, Status.DRAFT, SELLER, BUYER, "CNY", lines, TERMS)


def issued(invoice: Invoice) -> Invoice:
    return replace(invoice, status=Status.ISSUED, number=f"LS{invoice.ordinal}")


bills = st.dictionaries(st.sampled_from(CODES), st.integers(-(10**9), 10**9).filter(bool), min_size=1).map(bill)


def test_the_first_close_drafts_the_whole_bill() -> None:
    wanted = bill({"base": 100})
    assert owed(wanted, []) == wanted


@given(bills)
def test_closing_again_is_a_no_op_at_every_step(wanted: Invoice) -> None:
    for status in (Status.DRAFT, Status.REVIEW, Status.ISSUED):
        assert owed(wanted, [replace(wanted, status=status)]) is None


@given(st.lists(bills, min_size=1, max_size=5))
def test_issued_invoices_always_add_up_to_what_was_wanted_last(states: list[Invoice]) -> None:
    billed: list[Invoice] = []
    for wanted in states:
        draft = owed(wanted, billed)
        if draft:
            billed.append(issued(draft))
        assert owed(wanted, billed) is None
        assert sum(invoice.net.minor for invoice in billed) == wanted.net.minor
    assert len({invoice.id for invoice in billed}) == len(billed)


def test_a_changed_draft_is_replaced_and_falls_back_from_review() -> None:
    before, after = replace(bill({"base": 100}), status=Status.REVIEW), bill({"base": 120})
    draft = owed(after, [before])
    assert draft
    assert draft.id == before.id
    assert (draft.status, draft.net.minor) == (Status.DRAFT, 120)


def test_a_hold_survives_a_rerun() -> None:
    draft = owed(bill({"base": 120}), [replace(bill({"base": 100}), held="meter disputed")])
    assert draft
    assert draft.held == "meter disputed"


def test_after_issue_the_difference_is_a_record_of_its_own() -> None:
    first = issued(bill({"base": 100, "wear": 40}))
    draft = owed(bill({"base": 100, "wear": 33, "energy": 5}), [first])
    assert draft
    assert draft.ordinal == 1
    assert [(part.description, part.amount.minor) for part in draft.lines] == [("Correction: Wear", -7), ("Energy", 5)]


def test_an_adjustment_that_is_no_longer_needed_is_voided() -> None:
    first = issued(bill({"base": 100}))
    adjustment = owed(bill({"base": 120}), [first])
    assert adjustment
    gone = owed(bill({"base": 100}), [first, adjustment])
    assert gone
    assert gone.status is Status.VOID
    assert owed(bill({"base": 100}), [first, gone]) is None


def test_tax_is_computed_on_the_sum_of_each_rate() -> None:
    invoice = replace(bill({}), lines=(line("base", 5), line("wear", 5), line("energy", 60000, "0.06")))
    assert [(part.net.minor, part.tax.minor) for part in invoice.vat] == [(10, 1), (60000, 3600)]
    assert invoice.total.minor == 10 + 60000 + 1 + 3600


@given(bills)
def test_json_goes_there_and_back(invoice: Invoice) -> None:
    assert from_json(to_json(invoice)) == invoice
    assert to_json(from_json(to_json(invoice))) == to_json(invoice)


def test_payment_state_follows_what_was_allocated() -> None:
    owed_amount = Money(100, "CNY")
    states = [payment_state(owed_amount, Money(paid, "CNY")) for paid in (0, 1, 99, 100)]
    assert states == [PaymentState.OPEN, PaymentState.PARTLY_PAID, PaymentState.PARTLY_PAID, PaymentState.PAID]
    assert payment_state(Money(0, "CNY"), Money(0, "CNY")) is PaymentState.PAID
