"""Card events: what the card provider tells us, signed, over HTTP."""

from typing import Any

import msgspec
from litestar import Request, post
from litestar.datastructures import State
from litestar.params import RawBody

from app import clock, paying

MAX_BODY = 1024 * 1024


class EventTaken(msgspec.Struct):
    """What became of an event: posted, already (taken before), or kept."""

    event: str
    kind: str
    outcome: str


@post("/api/stripe/events", status_code=200, sync_to_thread=True, request_max_body_size=MAX_BODY)
def receive(request: Request[Any, Any, State], body: RawBody) -> EventTaken:
    """Take a webhook. 2xx means it is kept for good; anything else makes the provider send it again."""
    signature = request.headers.get("stripe-signature", "")
    state = request.app.state
    receipt = paying.take_webhook(state.database, state.gateway, bytes(body), signature, now=clock.now())
    return EventTaken(receipt.event, receipt.kind, receipt.outcome)


route_handlers = [receive]
