"""Raw telemetry: segments of observations from machine agents."""

import base64
import hashlib
import re
from typing import Any

import msgspec
from litestar import Request, post
from litestar.datastructures import State
from litestar.params import RawBody

from app import clock
from app.api.readings import token_of, unknown_agent
from app.database import Database, Role
from app.problems import Problem
from metering.enrol import identify
from metering.store import MeteringStore
from metering.telemetry.receive import State as Became
from metering.telemetry.receive import receive
from metering.telemetry.segment import MAX_COMPRESSED
from metering.telemetry.shelf import Shelf
from metering.telemetry.store import TelemetryStore

_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/=]+):")


class SegmentReceipt(msgspec.Struct):
    """What became of a segment: `state` is stored or duplicate, either way the agent may forget it."""

    number: int
    digest: str
    state: str


@post("/api/telemetry", status_code=200, sync_to_thread=True, request_max_body_size=MAX_COMPRESSED)
def receive_segment(request: Request[Any, Any, State], body: RawBody) -> SegmentReceipt:
    """Store a segment: gzip, as the agent packs it; sent again, it changes nothing."""
    token = token_of(request)
    _check_digest(request.headers.get("content-digest", ""), body)
    database: Database = request.app.state.database
    shelf = Shelf(request.app.state.settings.telemetry_folder)
    # As worker: an agent is no party, its token is what it may act by.
    with database.transaction(Role.WORKER) as session:
        machines = MeteringStore(session)
        agent = identify(token, store=machines)
        if agent is None:
            raise unknown_agent()
        receipt = receive(
            body, agent=agent, machines=machines, store=TelemetryStore(session), shelf=shelf, now=clock.now()
        )
    # After the transaction, so that the refusal is on record.
    if receipt.state is Became.CONFLICT:
        raise Problem(409, "Another segment has this number", receipt.reason, "Keep the segment and tell the operator.")
    if receipt.state is Became.UNREADABLE:
        raise Problem(422, "No segment of telemetry", receipt.reason, "Keep the segment and tell the operator.")
    return SegmentReceipt(receipt.number, receipt.digest, receipt.state)


def _check_digest(header: str, body: bytes) -> None:
    """The body must be what was sent, where the sender says so (RFC 9530)."""
    said = _DIGEST.search(header)
    if said and said[1] != base64.b64encode(hashlib.sha256(body).digest()).decode():
        raise Problem(400, "Damaged on the way", "The body does not have the digest that was announced.", "Send again.")


route_handlers = [receive_segment]
