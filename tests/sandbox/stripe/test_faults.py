"""Faults on demand, and the promise that our stand-in's answers carry only fields that the SDK knows."""

import uuid
from typing import Any

import pytest
import stripe
from stripe import StripeClient

from tests.sandbox.stripe.test_contract import pay, session_params
from tests.stripe_sandbox import KEY, tell


def test_too_many_requests(sandbox_only: StripeClient, address: str) -> None:
    tell(address, "faults", status=429, times=1, path="/v1/customers")
    with pytest.raises(stripe.RateLimitError):
        sandbox_only.v1.customers.create({"name": "x"})
    assert sandbox_only.v1.customers.create({"name": "x"}).id


def test_the_sdk_gets_over_a_server_error(address: str) -> None:
    client = StripeClient(KEY, base_addresses={"api": address}, max_network_retries=2)
    tell(address, "faults", status=500, times=1)
    assert client.v1.customers.create({"name": "once"}).name == "once"


def test_an_answer_lost_after_the_work_does_not_double_it(address: str) -> None:
    client = StripeClient(KEY, base_addresses={"api": address}, max_network_retries=0)
    params: Any = {"idempotency_key": f"invoice/{uuid.uuid4()}"}
    before = len(client.v1.checkout.sessions.list({"limit": 100}).data)
    tell(address, "faults", status=500, times=1, path="/v1/checkout", after_work=True)
    with pytest.raises(stripe.APIError):
        client.v1.checkout.sessions.create(session_params(), params)
    again = client.v1.checkout.sessions.create(session_params(), params)
    assert len(client.v1.checkout.sessions.list({"limit": 100}).data) == before + 1
    assert again.status == "open"


def test_a_key_is_forgotten_after_a_day(sandbox_only: StripeClient, address: str) -> None:
    options: Any = {"idempotency_key": f"test-{uuid.uuid4()}"}
    first = sandbox_only.v1.customers.create({"name": "x"}, options)
    tell(address, "clock", ahead_seconds=90_000)
    try:
        assert sandbox_only.v1.customers.create({"name": "x"}, options).id != first.id
    finally:
        tell(address, "clock", ahead_seconds=0)


def test_what_is_not_simulated_is_refused_and_not_ignored(sandbox_only: StripeClient) -> None:
    params = session_params(allow_promotion_codes=True)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        sandbox_only.v1.checkout.sessions.create(params)
    assert caught.value.code == "sandbox_not_simulated"
    assert caught.value.param == "allow_promotion_codes"


def test_an_address_that_is_not_there(sandbox_only: StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        sandbox_only.v1.payouts.list()
    assert caught.value.http_status == 404
    assert "Unrecognized request URL (GET: /v1/payouts)" in str(caught.value)


def test_answers_carry_only_fields_that_the_sdk_knows(sandbox_only: StripeClient) -> None:
    intent = pay(sandbox_only)
    refund = sandbox_only.v1.refunds.create({"payment_intent": intent.id, "amount": 45})
    charge = sandbox_only.v1.charges.retrieve(intent.latest_charge)
    balance = sandbox_only.v1.balance_transactions.retrieve(str(charge.balance_transaction))
    method = sandbox_only.v1.payment_methods.retrieve(str(intent.payment_method))
    session = sandbox_only.v1.checkout.sessions.create(session_params())
    event = sandbox_only.v1.events.list({"limit": 1}).data[0]
    hook: Any = {"url": "http://127.0.0.1:9/", "enabled_events": ["charge.failed"]}
    endpoint = sandbox_only.v1.webhook_endpoints.create(hook)
    customer = sandbox_only.v1.customers.create({"name": "x"})
    for thing in (intent, refund, charge, balance, method, session, event, endpoint, customer):
        unknown = set(thing.to_dict()) - set(type(thing).__annotations__)
        assert not unknown, f"{type(thing).__name__} has no {unknown}"
    sandbox_only.v1.webhook_endpoints.delete(endpoint.id)
