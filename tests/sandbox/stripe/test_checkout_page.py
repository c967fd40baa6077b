"""A person (or a script) pays on the hosted page."""

from typing import Any

import httpx
from stripe import StripeClient

from tests.sandbox.stripe.test_contract import pay, session_params
from tests.stripe_sandbox import tell


def open_session(client: StripeClient, **more: Any) -> Any:
    return client.v1.checkout.sessions.create(session_params(**more))


def type_card(url: str, number: str, **more: str) -> httpx.Response:
    return httpx.post(url, data={"card_number": number, "expiry": "12/34", "cvc": "123"} | more)


def test_the_page_shows_what_is_paid_and_leads_back(sandbox_only: StripeClient) -> None:
    session = open_session(sandbox_only)
    page = httpx.get(session.url)
    assert page.status_code == 200
    assert "42.00 EUR" in page.text
    assert "Invoice LS2026050017" in page.text
    paid = type_card(session.url, "4242 4242 4242 4242")
    assert (paid.status_code, paid.headers["location"]) == (303, f"https://example.org/done?session={session.id}")
    expand: Any = {"expand": ["payment_intent.latest_charge.balance_transaction"]}
    after: Any = sandbox_only.v1.checkout.sessions.retrieve(session.id, expand)
    assert (after.status, after.payment_status) == ("complete", "paid")
    assert after.payment_intent.metadata["invoice"] == "LS2026050017"
    assert after.payment_intent.latest_charge.balance_transaction.fee == 152  # 2.9 % of 42.00 and 0.30
    assert type_card(session.url, "4242 4242 4242 4242").status_code == 400


def test_a_declined_card_leaves_the_session_open_for_another(sandbox_only: StripeClient) -> None:
    session = open_session(sandbox_only)
    declined = type_card(session.url, "4000 0000 0000 0002")
    assert declined.status_code == 402
    assert "Your card was declined." in declined.text
    assert sandbox_only.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert type_card(session.url, "4242424242424242").status_code == 303


def test_the_holder_is_asked_and_may_refuse(sandbox_only: StripeClient) -> None:
    session = open_session(sandbox_only)
    asked = type_card(session.url, "4000002760003184")
    assert asked.status_code == 200
    method = asked.text.split('name="payment_method" value="')[1].split('"')[0]
    refused = httpx.post(session.url, data={"payment_method": method, "agreed": "no"})
    assert refused.status_code == 402
    agreed = httpx.post(session.url, data={"payment_method": method, "agreed": "yes"})
    assert agreed.status_code == 303


def test_the_holder_is_asked_about_an_intent(sandbox_only: StripeClient) -> None:
    intent = pay(sandbox_only, "pm_card_authenticationRequired")
    url = intent.next_action.redirect_to_url.url
    assert "123.45 EUR" in httpx.get(url).text
    assert httpx.post(url, data={"agreed": "yes"}).headers["location"] == "https://example.org/back"
    assert sandbox_only.v1.payment_intents.retrieve(intent.id).status == "succeeded"


def test_real_and_mistyped_card_numbers_are_refused(sandbox_only: StripeClient) -> None:
    session = open_session(sandbox_only)
    assert "card number is incorrect" in type_card(session.url, "4242424242424241").text
    assert "non test card" in type_card(session.url, "4111111111111111").text
    assert type_card(session.url, "4242424242424242", expiry="13/34").status_code == 402
    assert sandbox_only.v1.checkout.sessions.retrieve(session.id).status == "open"


def test_an_expired_session_cannot_be_paid(sandbox_only: StripeClient, address: str) -> None:
    session = open_session(sandbox_only)
    tell(address, "clock", ahead_seconds=86_401)
    try:
        assert httpx.get(session.url).status_code == 410
        assert type_card(session.url, "4242424242424242").status_code == 400
        assert sandbox_only.v1.checkout.sessions.retrieve(session.id).status == "expired"
    finally:
        tell(address, "clock", ahead_seconds=0)


def test_names_from_the_request_cannot_become_markup(sandbox_only: StripeClient) -> None:
    price = {"currency": "eur", "unit_amount": 900, "product_data": {"name": "<script>alert(1)</script>"}}
    session = open_session(sandbox_only, line_items=[{"quantity": 1, "price_data": price}])
    page = httpx.get(session.url)
    assert "<script>" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
