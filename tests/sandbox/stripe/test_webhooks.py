"""Webhooks over real HTTP: signed, tried again, and going wrong on purpose."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe
from stripe import StripeClient

from tests.sandbox.stripe.conftest import Receiver
from tests.sandbox.stripe.test_contract import pay
from tests.stripe_sandbox import KEY, SECRET, running_sandbox

PAID = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


def client_of(address: str) -> StripeClient:
    return StripeClient(KEY, base_addresses={"api": address})


def types_of(seen: list[tuple[str, str]]) -> list[str]:
    return [json.loads(body)["type"] for body, _ in seen]


def settled(address: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{address}/sandbox/deliveries").json()["data"]
    return found


def test_events_come_signed_and_in_order(receiver: Receiver) -> None:
    with running_sandbox("--webhook", receiver.url) as address:
        intent = pay(client_of(address))
        seen = receiver.wait_for(3)
    assert types_of(seen) == PAID
    body, header = seen[-1]
    event = client_of(address).construct_event(body, header, SECRET)
    assert event.data.object["id"] == intent.id
    with pytest.raises(stripe.SignatureVerificationError):
        client_of(address).construct_event(body.replace("12345", "1"), header, SECRET)
    with pytest.raises(stripe.SignatureVerificationError):
        client_of(address).construct_event(body, header, "whsec_other")


def test_a_receiver_that_fails_is_asked_again(receiver: Receiver) -> None:
    receiver.answers = [500, 503]
    with running_sandbox("--webhook", receiver.url) as address:
        pay(client_of(address))
        seen = receiver.wait_for(5)
        assert sorted(types_of(seen)[-3:] + types_of(seen)[:2]).count("payment_intent.succeeded") >= 1
    ids = [json.loads(body)["id"] for body, _ in seen]
    assert len(set(ids)) == 3


def test_every_event_can_come_twice(receiver: Receiver) -> None:
    with running_sandbox("--webhook", receiver.url, "--duplicate", "1") as address:
        pay(client_of(address))
        assert sorted(types_of(receiver.wait_for(6))) == sorted(PAID * 2)


def test_a_seed_swaps_the_same_events_each_time(receiver: Receiver) -> None:
    orders = []
    for _ in range(2):
        with running_sandbox("--webhook", receiver.url, "--reorder", "0.5", "--seed", "1") as address:
            pay(client_of(address))
            orders.append(types_of(receiver.wait_for(3)))
            receiver.seen.clear()
    assert orders[0] == orders[1] != PAID


def test_lost_events_can_still_be_listed(receiver: Receiver) -> None:
    with running_sandbox("--webhook", receiver.url, "--lose", "1") as address:
        client = client_of(address)
        pay(client)
        assert [each["state"] for each in settled(address)] == ["lost"] * 3
        assert [event.type for event in client.v1.events.list({"delivery_success": False}).data] == PAID[::-1]
    assert receiver.seen == []


def test_an_endpoint_made_by_the_api_hears_what_it_asked_for(receiver: Receiver) -> None:
    with running_sandbox() as address:
        client = client_of(address)
        endpoint = client.v1.webhook_endpoints.create(
            {"url": receiver.url, "enabled_events": ["payment_intent.succeeded"]}
        )
        pay(client)
        (body, header), *_ = receiver.wait_for(1)
        assert endpoint.secret
        assert client.construct_event(body, header, endpoint.secret).type == "payment_intent.succeeded"
        assert client.v1.webhook_endpoints.retrieve(endpoint.id).to_dict().get("secret") is None
        client.v1.webhook_endpoints.delete(endpoint.id)
        pay(client)
        assert len(settled(address)) == 1


def test_what_was_not_delivered_is_after_a_restart(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answers = [500] * 3
    with running_sandbox("--webhook", receiver.url, "--folder", str(tmp_path)) as address:
        intent = pay(client_of(address))
        receiver.wait_for(3)
    with running_sandbox("--folder", str(tmp_path)) as address:
        assert set(PAID) <= set(types_of(receiver.wait_for(6)[3:]))
        assert client_of(address).v1.payment_intents.retrieve(intent.id).status == "succeeded"
