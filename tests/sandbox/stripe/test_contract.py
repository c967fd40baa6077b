"""What we rely on of Stripe, asked through its SDK: of the stand-in, and (with STRIPE_TEST_KEY) of Stripe itself."""

import uuid
from typing import Any

import pytest
import stripe
from stripe import StripeClient


def pay(client: StripeClient, method: str = "pm_card_visa", **more: Any) -> Any:
    params: Any = {
        "amount": 12345,
        "currency": "eur",
        "payment_method": method,
        "confirm": True,
        "return_url": "https://example.org/back",
        "metadata": {"invoice": "LS2026050017"},
    }
    return client.v1.payment_intents.create(params | more)


def session_params(**more: Any) -> Any:
    price = {"currency": "eur", "unit_amount": 4200, "product_data": {"name": "Invoice LS2026050017"}}
    return {
        "mode": "payment",
        "success_url": "https://example.org/done?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://example.org/back",
        "line_items": [{"quantity": 1, "price_data": price}],
        "client_reference_id": "invoice-1",
        "metadata": {"invoice": "LS2026050017"},
        "payment_intent_data": {"metadata": {"invoice": "LS2026050017"}},
        **more,
    }


def test_a_card_is_charged_and_the_fee_is_told(client: StripeClient) -> None:
    intent = pay(client)
    assert (intent.status, intent.amount_received) == ("succeeded", 12345)
    seen = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge.balance_transaction"]})
    left: Any = seen.latest_charge.balance_transaction
    assert left.amount - left.fee == left.net
    assert left.fee > 0
    assert seen.metadata["invoice"] == "LS2026050017"


@pytest.mark.parametrize(
    ("token", "code", "reason"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ],
)
def test_a_declining_card_raises_a_card_error(client: StripeClient, token: str, code: str, reason: str) -> None:
    with pytest.raises(stripe.CardError) as caught:
        pay(client, token)
    assert (caught.value.http_status, caught.value.code) == (402, code)
    body: Any = caught.value.json_body
    intent = body["error"]["payment_intent"]
    assert intent["status"] == "requires_payment_method"
    if reason not in ("expired_card", "incorrect_cvc", "processing_error"):
        assert body["error"]["decline_code"] == reason
    again = client.v1.payment_intents.confirm(
        intent["id"], {"payment_method": "pm_card_visa", "return_url": "https://example.org/back"}
    )
    assert again.status == "succeeded"


def test_a_card_that_asks_its_holder_waits(client: StripeClient) -> None:
    intent = pay(client, "pm_card_authenticationRequired")
    assert intent.status == "requires_action"
    assert intent.next_action.type == "redirect_to_url"
    assert client.v1.payment_intents.cancel(intent.id).status == "canceled"


def test_a_paid_intent_cannot_be_cancelled_nor_confirmed_again(client: StripeClient) -> None:
    intent = pay(client)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.cancel(intent.id)
    assert caught.value.code == "payment_intent_unexpected_state"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.confirm(intent.id)


def test_the_same_key_gives_the_same_answer(client: StripeClient) -> None:
    options: Any = {"idempotency_key": f"test-{uuid.uuid4()}"}
    first = client.v1.checkout.sessions.create(session_params(), options)
    again = client.v1.checkout.sessions.create(session_params(), options)
    assert first.id == again.id
    assert again.last_response is not None
    assert again.last_response.headers["idempotent-replayed"] == "true"


def test_the_same_key_with_other_parameters_is_refused(client: StripeClient) -> None:
    options: Any = {"idempotency_key": f"test-{uuid.uuid4()}"}
    client.v1.customers.create({"name": "Beta Precision"}, options)
    with pytest.raises(stripe.IdempotencyError) as caught:
        client.v1.customers.create({"name": "Gamma Tools"}, options)
    assert caught.value.http_status == 400


def test_a_refused_card_is_refused_again_under_its_key(client: StripeClient) -> None:
    key = f"test-{uuid.uuid4()}"
    params: Any = {"amount": 900, "currency": "eur", "payment_method": "pm_card_visa_chargeDeclined", "confirm": True}
    params["return_url"] = "https://example.org/back"
    intents = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as caught:
            client.v1.payment_intents.create(params, {"idempotency_key": key})
        body: Any = caught.value.json_body
        intents.append(body["error"]["payment_intent"]["id"])
    assert intents[0] == intents[1]


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"amout": 100, "currency": "eur"}, "amout"),
        ({"currency": "eur"}, "amount"),
        ({"amount": "ten", "currency": "eur"}, "amount"),
        ({"amount": 1, "currency": "eur"}, "amount"),
        ({"amount": 100, "currency": "eur", "payment_method": "pm_none"}, "payment_method"),
    ],
)
def test_parameters_that_make_no_sense_are_refused_by_name(client: StripeClient, params: Any, param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.create(params)
    assert caught.value.http_status == 400
    assert caught.value.param in (param, None)
    assert param in f"{caught.value.param} {caught.value.user_message}".lower()


def test_an_unknown_nested_parameter_is_refused(client: StripeClient) -> None:
    params = session_params()
    params["line_items"][0]["price_data"]["amount"] = 5
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.checkout.sessions.create(params)
    assert caught.value.code == "parameter_unknown"
    assert caught.value.param == "line_items[0][price_data][amount]"


def test_an_unknown_id_is_not_found(client: StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.retrieve("pi_00000000000000000000")
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


def test_a_wrong_key_is_refused(client: StripeClient) -> None:
    wrong = StripeClient("sk_test_wrong", base_addresses={"api": client._requestor.base_addresses["api"]})
    with pytest.raises(stripe.AuthenticationError):
        wrong.v1.customers.list()


def test_a_session_is_open_until_it_is_expired(client: StripeClient) -> None:
    session = client.v1.checkout.sessions.create(session_params())
    assert (session.status, session.payment_status, session.amount_total) == ("open", "unpaid", 4200)
    assert session.payment_intent is None
    assert session.url
    assert client.v1.checkout.sessions.retrieve(session.id).client_reference_id == "invoice-1"
    lines = client.v1.checkout.sessions.line_items.list(session.id)
    assert [(line.description, line.amount_total) for line in lines.data] == [("Invoice LS2026050017", 4200)]
    closed = client.v1.checkout.sessions.expire(session.id)
    assert (closed.status, closed.url) == ("expired", None)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.checkout.sessions.expire(session.id)


def test_a_charge_is_given_back_in_parts_and_never_twice(client: StripeClient) -> None:
    intent = pay(client)
    part = client.v1.refunds.create({"payment_intent": intent.id, "amount": 345, "metadata": {"why": "credit"}})
    assert (part.status, part.amount) == ("succeeded", 345)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 12001})
    client.v1.refunds.create({"payment_intent": intent.id})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert caught.value.code == "charge_already_refunded"


def test_what_happened_is_told_newest_first(client: StripeClient) -> None:
    intents = [pay(client).id for _ in range(3)]
    page = client.v1.events.list({"types": ["payment_intent.succeeded"], "limit": 2})
    told: list[Any] = []
    for event in page.auto_paging_iter():
        told.append(event)
        if len(told) == 3:
            break
    assert [event.data.object["id"] for event in told] == intents[::-1]
    assert client.v1.events.retrieve(told[0].id).type == "payment_intent.succeeded"


def test_a_customer_keeps_a_payment_method(client: StripeClient) -> None:
    customer = client.v1.customers.create({"name": "Beta Precision", "metadata": {"organisation": "b"}})
    method = client.v1.payment_methods.attach("pm_card_mastercard", {"customer": customer.id})
    assert method.customer == customer.id
    intent = pay(client, method.id, customer=customer.id, off_session=True, return_url=None)
    assert intent.status == "succeeded"
    changed = client.v1.customers.update(customer.id, {"metadata": {"organisation": ""}, "email": "a@example.org"})
    assert (changed.email, changed.to_dict()["metadata"]) == ("a@example.org", {})
