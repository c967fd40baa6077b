"""Paying by card, from the page to the books, over real HTTP with webhooks that come twice, late, swapped or never."""

import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app import paying
from app.clock import now
from app.database import Role
from billing.invoicing.invoice import Invoice, PaymentState
from billing.money import Money
from billing.payments.receive_event import EventReceipt
from billing.payments.settle import NothingOpen
from billing.payments.start_checkout import PaymentUnderWay
from billing.payments.store import PaymentStore
from billing.payments.stripe_gateway import BadSignature, StripeUnavailable
from sandbox.bank import Line
from sandbox.stripe.delivery import signature
from tests.billing.payments.conftest import Desk, Till, open_till
from tests.stripe_sandbox import SECRET, pay_page, sdk, tell


def checkout(till: Till, invoice: Invoice) -> str:
    payer = till.desk.shop.sme.id
    return paying.checkout_url(
        till.desk.database, till.gateway, invoice.id, payer=payer, base_url="http://maker.example", now=now()
    )


def at_once(*actions: Callable[[], Any]) -> list[Any]:
    """The results of actions begun at the same moment, exceptions among them."""
    results: list[Any] = [None] * len(actions)
    gate = threading.Barrier(len(actions))

    def run(place: int) -> None:
        gate.wait()
        try:
            results[place] = actions[place]()
        except Exception as error:
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(actions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def webhook(till: Till, event: dict[str, Any]) -> EventReceipt:
    payload = json.dumps(event)
    signed = signature(payload, SECRET, int(time.time()))
    return paying.take_webhook(till.desk.database, till.gateway, payload.encode(), signed, now=now())


def told(till: Till, *kinds: str) -> list[dict[str, Any]]:
    """The events of these kinds, oldest first."""
    params: Any = {"types": list(kinds), "limit": 100}
    return [event.to_dict() for event in reversed(sdk(till.stripe).v1.events.list(params).data)]


def payments(till: Till) -> int:
    with till.desk.database.transaction(Role.WORKER) as session:
        return int(session.execute(text("SELECT count(*) FROM payment")).scalar_one())


def deliveries(till: Till, seconds: float = 30) -> list[dict[str, Any]]:
    """The webhook deliveries, once every one of them got through."""
    deadline = time.monotonic() + seconds
    while True:
        found: list[dict[str, Any]] = httpx.get(f"{till.stripe}/sandbox/deliveries").json()["data"]
        if all(each["state"] == "delivered" for each in found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def outcomes(till: Till) -> list[str]:
    with till.desk.database.transaction(Role.WORKER) as session:
        return sorted(PaymentStore(session).cards.outcomes().values())


def test_a_card_payment_from_the_page_to_the_books(till: Till) -> None:
    invoice = till.desk.issue("1000.00")
    done = pay_page(checkout(till, invoice))
    assert done.headers["location"] == f"http://maker.example/invoices/{invoice.id}?paid=1"
    till.wait_until_paid(invoice)
    assert till.desk.books() == {
        "clearing": "970.70",
        "fees": "29.30",  # 2.9 % and 0.30
        "revenue.lease_variable": "-884.96",
        "vat_output": "-115.04",
    }
    with pytest.raises(NothingOpen):
        checkout(till, invoice)


def test_a_declined_card_books_nothing_and_another_pays(till: Till) -> None:
    invoice = till.desk.issue("1000.00")
    page = checkout(till, invoice)
    assert pay_page(page, "4000000000000002").status_code == 402
    assert till.desk.state(invoice) is PaymentState.OPEN
    assert checkout(till, invoice) == page
    pay_page(page)
    till.wait_until_paid(invoice)
    assert payments(till) == 1


def test_events_twice_swapped_and_late_book_once(desk: Desk) -> None:
    accidents = ["--duplicate", "1", "--reorder", "0.5", "--delay", "0.5", "--delay-seconds", "0.5", "--seed", "3"]
    with open_till(desk, *accidents) as till:
        invoices = [desk.issue("100.00", days) for days in range(3)]
        for invoice in invoices:
            pay_page(checkout(till, invoice))
        for invoice in invoices:
            till.wait_until_paid(invoice)
        deadline = time.monotonic() + 30
        while any(
            each["state"] != "delivered" for each in httpx.get(f"{till.stripe}/sandbox/deliveries").json()["data"]
        ):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert payments(till) == 3
        assert outcomes(till).count("posted") == 3
        assert desk.books()["clearing"] == "290.40"


def test_lost_events_are_repaired_once(desk: Desk) -> None:
    with open_till(desk, "--lose", "1") as till:
        invoice = desk.issue("1000.00")
        pay_page(checkout(till, invoice))
        assert desk.state(invoice) is PaymentState.OPEN
        with pytest.raises(PaymentUnderWay):
            checkout(till, invoice)
        pulled = paying.repair_events(desk.database, till.gateway, now=now())
        assert [each.outcome for each in pulled.repaired].count("posted") == 1
        assert pulled.failed == ()
        assert desk.state(invoice) is PaymentState.PAID
        assert paying.repair_events(desk.database, till.gateway, now=now()).repaired == ()
        assert payments(till) == 1


def test_the_same_event_at_once_books_once(desk: Desk) -> None:
    with open_till(desk, "--lose", "1") as till:
        invoice = desk.issue("1000.00")
        pay_page(checkout(till, invoice))
        (event,) = told(till, "payment_intent.succeeded")
        receipts = at_once(*[lambda: webhook(till, event)] * 6)
        assert sorted(each.outcome for each in receipts) == ["already"] * 5 + ["posted"]
        assert payments(till) == 1
        assert desk.books()["clearing"] == "970.70"


def test_two_events_of_one_payment_at_once_book_once(desk: Desk) -> None:
    with open_till(desk, "--lose", "1") as till:
        invoices = [desk.issue("1000.00", days) for days in range(3)]
        for invoice in invoices:
            pay_page(checkout(till, invoice))
        events = told(till, "payment_intent.succeeded", "checkout.session.completed")
        assert len(events) == 6
        receipts = at_once(*[lambda event=event: webhook(till, event) for event in events])
        assert sorted(each.outcome for each in receipts) == ["already"] * 3 + ["posted"] * 3
        assert payments(till) == 3


def test_webhook_and_repair_at_once_book_once(desk: Desk) -> None:
    with open_till(desk, "--lose", "1") as till:
        invoice = desk.issue("1000.00")
        pay_page(checkout(till, invoice))
        (event,) = told(till, "payment_intent.succeeded")

        def repair() -> object:
            return paying.repair_events(desk.database, till.gateway, now=now())

        results = at_once(lambda: webhook(till, event), repair, repair)
        assert not [each for each in results if isinstance(each, Exception)]
        assert payments(till) == 1
        assert desk.books()["clearing"] == "970.70"


def test_an_event_is_taken_again_after_stripe_could_not_be_asked(till: Till) -> None:
    invoice = till.desk.issue("1000.00")
    page = checkout(till, invoice)
    # More faults than the SDK's own retries: the webhook answers 503, and the stand-in sends it again.
    tell(till.stripe, "faults", status=500, times=3, path="/v1/payment_intents")
    pay_page(page)
    assert max(each["attempt"] for each in deliveries(till)) > 1
    assert till.desk.state(invoice) is PaymentState.PAID
    assert payments(till) == 1


def test_unsigned_changed_and_old_messages_are_refused_and_not_kept(till: Till) -> None:
    event = {"id": "evt_1", "type": "payment_intent.succeeded", "created": 1, "data": {"object": {}}}
    payload = json.dumps(event)
    good = signature(payload, SECRET, int(time.time()))
    for body, header in (
        (payload, ""),
        (payload, "t=1,v1=00"),
        (payload.replace("evt_1", "evt_2"), good),
        (payload, signature(payload, "whsec_other", int(time.time()))),
        (payload, signature(payload, SECRET, int(time.time()) - 600)),
    ):
        answer = httpx.post(till.url, content=body, headers={"Stripe-Signature": header})
        assert answer.status_code == 400
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert answer.json()["what_to_do"]
    assert outcomes(till) == []


def test_events_of_no_concern_are_kept(till: Till) -> None:
    sdk(till.stripe).v1.customers.create({"name": "Somebody else's"})
    foreign: Any = {"amount": 500, "currency": "cny", "payment_method": "pm_card_visa", "confirm": True}
    sdk(till.stripe).v1.payment_intents.create(foreign | {"return_url": "https://example.org"})
    receipts = [webhook(till, event) for event in told(till, "customer.created", "payment_intent.succeeded")]
    assert {each.outcome for each in receipts} <= {"kept", "kept: not a payment of ours", "already"}
    assert payments(till) == 0


def test_two_clicks_at_once_open_one_page(till: Till) -> None:
    invoice = till.desk.issue("1000.00")
    first, second = at_once(lambda: checkout(till, invoice), lambda: checkout(till, invoice))
    assert first == second
    assert len(sdk(till.stripe).v1.checkout.sessions.list({"limit": 10}).data) == 1


def test_an_answer_lost_on_the_way_opens_no_second_page(till: Till) -> None:
    invoice = till.desk.issue("1000.00")
    tell(till.stripe, "faults", status=500, times=3, path="/v1/checkout", after_work=True)
    with pytest.raises(StripeUnavailable):
        checkout(till, invoice)
    assert checkout(till, invoice)
    assert len(sdk(till.stripe).v1.checkout.sessions.list({"limit": 10}).data) == 1


def test_a_page_for_more_than_is_open_is_closed(till: Till) -> None:
    invoice = till.desk.issue("1000.00")
    page = checkout(till, invoice)
    maker = till.desk.shop.maker.id
    part = till.desk.statement(Line(Decimal("400.00"), reference=invoice.reference or ""))
    (waiting,) = paying.take_statement(till.desk.database, maker, part, now=now()).proposed
    paying.confirm(till.desk.database, maker, waiting.booked.id, invoice.id, by="anna", now=now())
    assert till.desk.state(invoice) is PaymentState.PARTLY_PAID
    rest = checkout(till, invoice)
    assert rest != page
    assert pay_page(page).status_code == 400
    pay_page(rest)
    till.wait_until_paid(invoice)
    assert till.desk.books()["cash"] == "400.00"


def test_an_expired_page_gives_way_to_a_new_one(till: Till) -> None:
    invoice = till.desk.issue("1000.00")
    page = checkout(till, invoice)
    tell(till.stripe, "clock", ahead_seconds=86_401)
    again = checkout(till, invoice)
    assert again != page
    pay_page(again)
    till.wait_until_paid(invoice)


def test_a_payment_beyond_what_is_open_stays_prepaid(till: Till) -> None:
    invoice = till.desk.issue("1000.00")
    page = checkout(till, invoice)
    maker = till.desk.shop.maker.id
    whole = till.desk.statement(Line(Decimal("1000.00"), reference=invoice.reference or ""))
    assert paying.take_statement(till.desk.database, maker, whole, now=now()).matched
    pay_page(page)  # the page was open already when the transfer came
    deadline = time.monotonic() + 20
    while payments(till) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    books = till.desk.books()
    assert (books["cash"], books["clearing"], books["prepaid"]) == ("1000.00", "970.70", "-1000.00")
    assert "receivable" not in books
    with till.desk.database.transaction(Role.WORKER) as session:
        assert PaymentStore(session).allocated([invoice.id])[invoice.id] == Money.of("1000.00", "CNY")


def test_a_message_from_the_future_is_refused(till: Till) -> None:
    payload = b"{}"
    signed = signature("{}", SECRET, int(time.time()))
    with pytest.raises(BadSignature):
        till.gateway.event(payload, signed, now=now() - timedelta(minutes=6))
