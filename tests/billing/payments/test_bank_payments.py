"""Bank statements from the file to the books: once, whole, seen by whom it concerns, taken back to the cent."""

import random
from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from app import paying
from app.clock import now
from app.database import Role
from billing.invoicing.invoice import PaymentState
from billing.invoicing.store import InvoiceStore
from billing.payments.bank_store import UnknownTransaction
from billing.payments.match_transactions import CannotMatch, open_invoices
from billing.payments.settle import NothingOpen
from billing.payments.statement import StatementRefused
from billing.payments.store import PaymentStore
from sandbox.bank import Line
from tests.billing.payments.conftest import Desk
from tests.billing.payments.test_card_payments import at_once
from tests.builders import add_organisation, open_shop


def take(desk: Desk, content: bytes) -> paying.Statements:
    return paying.take_statement(desk.database, desk.shop.maker.id, content, now=now())


def count(desk: Desk, table: str) -> int:
    with desk.database.transaction(Role.WORKER) as session:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())  # noqa: S608


def test_a_line_with_its_reference_settles_its_invoice(desk: Desk) -> None:
    invoice = desk.issue("1000.00")
    lines = (
        Line(Decimal("1000.00"), "Sme", reference=invoice.reference or ""),
        Line(Decimal("-12.30"), "Bank", "fees"),
    )
    taken = take(desk, desk.statement(*lines))
    assert [(each.number, str(each.amount)) for each in taken.matched] == [(invoice.number, "1,000.00 CNY")]
    assert taken.proposed == ()
    assert desk.state(invoice) is PaymentState.PAID
    assert desk.books() == {"cash": "1000.00", "revenue.lease_variable": "-884.96", "vat_output": "-115.04"}


def test_the_same_file_again_changes_nothing(desk: Desk) -> None:
    invoice = desk.issue("1000.00")
    content = desk.statement(Line(Decimal("1000.00"), text=f"Rechnung {invoice.number}"), Line(Decimal("5.00")))
    first, again = take(desk, content), take(desk, content)
    assert [(each.new, each.was_known) for each in (*first.imported, *again.imported)] == [(2, False), (0, True)]
    assert (len(first.matched), len(again.matched)) == (1, 0)
    assert (count(desk, "bank_transaction"), count(desk, "payment")) == (2, 1)


def test_the_same_file_by_two_workers_at_once_is_imported_once(desk: Desk) -> None:
    invoices = [desk.issue("1000.00", days) for days in range(3)]
    content = desk.statement(*(Line(Decimal("1000.00"), reference=each.reference or "") for each in invoices))
    results = at_once(*[lambda: take(desk, content)] * 4)
    assert not [each for each in results if isinstance(each, Exception)], results
    assert sorted(each.imported[0].new for each in results) == [0, 0, 0, 3]
    assert sum(len(each.matched) for each in results) == 3
    assert (count(desk, "bank_statement"), count(desk, "payment"), desk.books()["cash"]) == (1, 3, "3000.00")


def test_overlapping_statements_bring_each_line_once(desk: Desk) -> None:
    both = (Line(Decimal("10.00")), Line(Decimal("20.00")))
    take(desk, desk.statement(both[0]))
    wider = desk.statement(*both).replace(b"<Id>20260603-1</Id>", b"<Id>WEEK-23</Id>")
    (imported,) = take(desk, wider).imported
    assert (imported.total, imported.new) == (2, 1)


def test_another_content_under_the_same_number_is_refused(desk: Desk) -> None:
    take(desk, desk.statement(Line(Decimal("10.00"))))
    with pytest.raises(StatementRefused, match="imported before with other content"):
        take(desk, desk.statement(Line(Decimal("10.00"), "another payer")))


def test_a_file_with_one_bad_statement_is_refused_whole(desk: Desk) -> None:
    good = desk.statement(Line(Decimal("10.00")))
    bad = desk.statement(Line(Decimal("10.00")), number=2, closing=Decimal("1.00"))
    inner = bad[bad.index(b"<Stmt>") : bad.index(b"</Stmt>") + len(b"</Stmt>")]
    with pytest.raises(StatementRefused, match="does not add up"):
        take(desk, good.replace(b"</Stmt>", b"</Stmt>" + inner))
    assert (count(desk, "bank_statement"), count(desk, "bank_transaction")) == (0, 0)


def test_a_person_confirms_undoes_and_confirms_another(desk: Desk) -> None:
    right, wrong = desk.issue("1000.00"), desk.issue("1000.00", 1)
    (waiting,) = take(desk, desk.statement(Line(Decimal("1000.00"), "Sme", "thank you"))).proposed
    assert {each.invoice.number for each in waiting.proposal.candidates} == {right.number, wrong.number}
    maker, line = desk.shop.maker.id, waiting.booked.id
    done = paying.confirm(desk.database, maker, line, wrong.id, by="anna", now=now())
    assert paying.confirm(desk.database, maker, line, wrong.id, by="anna", now=now()) == done
    with pytest.raises(CannotMatch, match="undo that match first"):
        paying.confirm(desk.database, maker, line, right.id, by="anna", now=now())
    assert paying.undo(desk.database, maker, line, by="anna", now=now())
    assert not paying.undo(desk.database, maker, line, by="anna", now=now())
    assert desk.state(wrong) is PaymentState.OPEN
    assert "cash" not in desk.books()
    paying.confirm(desk.database, maker, line, right.id, by="berta", now=now())
    assert (desk.state(right), desk.state(wrong)) == (PaymentState.PAID, PaymentState.OPEN)
    assert (desk.books()["cash"], desk.books()["receivable"]) == ("1000.00", "1000.00")
    assert (count(desk, "payment"), count(desk, "allocation")) == (2, 2)


def test_part_payments_add_up_and_too_much_stays_prepaid(desk: Desk) -> None:
    invoice = desk.issue("1000.00")
    lines = [Line(Decimal(amount), text=invoice.number or "") for amount in ("300.00", "900.00", "1.00")]
    waiting = take(desk, desk.statement(*lines)).proposed
    assert [each.proposal.note for each in waiting] == [
        f"{gap} CNY less than is open" for gap in ("700.00", "100.00", "999.00")
    ]
    for line, state in zip(waiting[:2], (PaymentState.PARTLY_PAID, PaymentState.PAID), strict=True):
        paying.confirm(desk.database, desk.shop.maker.id, line.booked.id, invoice.id, by="anna", now=now())
        assert desk.state(invoice) is state
    assert (desk.books()["cash"], desk.books()["prepaid"]) == ("1200.00", "-200.00")
    with pytest.raises(NothingOpen):
        paying.confirm(desk.database, desk.shop.maker.id, waiting[2].booked.id, invoice.id, by="anna", now=now())


def test_money_out_and_other_currencies_cannot_pay(desk: Desk) -> None:
    invoice = desk.issue("1000.00")
    (imported,) = take(desk, desk.statement(Line(Decimal("-1000.00"), text=invoice.number or ""))).imported
    assert imported.new == 1
    euros = desk.statement(Line(Decimal("1000.00"), text=invoice.number or ""), currency="EUR", number=2)
    (waiting,) = take(desk, euros).proposed
    assert waiting.proposal.note == "paid in EUR, invoiced in CNY"
    with pytest.raises(CannotMatch, match="the bank line is in EUR"):
        paying.confirm(desk.database, desk.shop.maker.id, waiting.booked.id, invoice.id, by="anna", now=now())


def test_each_sees_and_writes_only_what_concerns_it(desk: Desk) -> None:
    invoice = desk.issue("1000.00")
    (matched,) = take(desk, desk.statement(Line(Decimal("1000.00"), reference=invoice.reference or ""))).matched
    other = add_organisation(desk.shop, "other")
    for party, payments_seen, lines_seen in ((desk.shop.maker, 1, 1), (desk.shop.sme, 1, 0), (other, 0, 0)):
        with desk.database.transaction(Role.APP, party=party.id) as session:
            store = PaymentStore(session)
            assert len(store.settled()) == payments_seen
            assert len(store.bank.transactions(desk.shop.maker.id)) == lines_seen
    with pytest.raises(UnknownTransaction):
        paying.undo(desk.database, other.id, matched.transaction, by="eve", now=now())
    with pytest.raises(ProgrammingError), desk.database.transaction(Role.APP, party=desk.shop.sme.id) as session:
        session.execute(
            text(
                "INSERT INTO allocation SELECT gen_random_uuid(), payment_id, invoice_id, lessor_id, lessee_id,"
                " 1, currency, 'eve', '', NULL, NULL, now() FROM allocation"
            )
        )
    with desk.database.transaction(Role.APP, party=desk.shop.sme.id) as session:
        assert session.execute(text("UPDATE payment SET amount_minor = 1")).rowcount == 0  # type: ignore[attr-defined]


def test_a_maker_matches_only_its_own_invoices(desk: Desk) -> None:
    invoice = desk.issue("1000.00")
    rival = open_shop(desk.database, name="rival")
    theirs = desk.statement(Line(Decimal("1000.00"), reference=invoice.reference or ""))
    taken = paying.take_statement(desk.database, rival.maker.id, theirs, now=now())
    assert taken.matched == ()
    assert taken.proposed[0].proposal.candidates == ()
    with desk.database.transaction(Role.WORKER) as session:
        assert open_invoices(rival.maker.id, invoicing=InvoiceStore(session), payments=PaymentStore(session)) == []


@pytest.mark.parametrize("column", ["payment_id", "invoice_id"])
def test_the_database_refuses_to_allocate_a_cent_twice(desk: Desk, column: str) -> None:
    one, two = desk.issue("1000.00"), desk.issue("1000.00", 1)
    take(desk, desk.statement(*(Line(Decimal("1000.00"), reference=each.reference or "") for each in (one, two))))
    with pytest.raises(IntegrityError, match="more is allocated"), desk.database.transaction(Role.WORKER) as session:
        session.execute(text(f"UPDATE allocation SET {column} = (SELECT min({column}::text)::uuid FROM allocation)"))  # noqa: S608


def test_after_any_decisions_cash_is_what_is_matched_and_no_cent_is_allocated_twice(desk: Desk) -> None:
    dice = random.Random(7)
    invoices = [desk.issue(f"{dice.randint(1, 5)}00.00", days) for days in range(4)]
    lines = [Line(Decimal(dice.randint(1, 6) * 100)) for _ in range(6)]
    waiting = [each.booked for each in take(desk, desk.statement(*lines)).proposed]
    for _ in range(40):
        line, invoice = dice.choice(waiting), dice.choice(invoices)
        try:
            if dice.random() < 0.4:
                paying.undo(desk.database, desk.shop.maker.id, line.id, by="anna", now=now())
            else:
                paying.confirm(desk.database, desk.shop.maker.id, line.id, invoice.id, by="anna", now=now())
        except (CannotMatch, NothingOpen):
            pass
        books = {name: Decimal(amount) for name, amount in desk.books().items()}
        with desk.database.transaction(Role.WORKER) as session:
            store = PaymentStore(session)
            open_lines = {each.id for each in store.bank.unmatched(desk.shop.maker.id)}
            settled = store.allocated([each.id for each in invoices])
        matched = sum(each.transaction.amount.decimal for each in waiting if each.id not in open_lines)
        assert books.get("cash", 0) == matched
        for each in invoices:
            assert 0 <= settled[each.id].minor <= each.total.minor
        owed = sum(each.total.decimal - settled[each.id].decimal for each in invoices)
        assert books.get("receivable", 0) == owed
        assert -books.get("prepaid", 0) == matched - sum(each.decimal for each in settled.values())


def test_an_unknown_line_is_told(desk: Desk) -> None:
    with pytest.raises(UnknownTransaction):
        paying.confirm(desk.database, desk.shop.maker.id, uuid4(), uuid4(), by="anna", now=now())
