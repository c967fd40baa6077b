"""Readings: batches of sealed records from machine agents."""

from typing import Any

import msgspec
from litestar import Request, post
from litestar.datastructures import State
from litestar.params import RawBody

from app import clock, refusals
from app.cut_schedules import HEADER, known_number, schedule_in_force
from app.database import Database, Role
from app.problems import Problem
from app.refusals import settled_numbers
from metering.enrol import identify
from metering.ingest import ingest
from metering.store import MeteringStore

MAX_BODY = 8 * 1024 * 1024
MAX_RECORDS = 1000


class RefusedRecord(msgspec.Struct):
    """A record that was kept aside; `pagination` is what it says of itself, null where it does not."""

    pagination: int | None
    reason: str


class Receipt(msgspec.Struct, omit_defaults=True):
    """What became of a batch. Up to `high_water` everything is stored and may be forgotten by the agent. `schedule` is
    the signed cut schedule, where the agent said the number of an older one; `settled` are those of the refused records
    which it named (Spindleshare-Refused: 4,5) that wait for nobody any more."""

    stored: int
    duplicate: int
    refused: list[RefusedRecord]
    high_water: int
    schedule: str | None = None
    settled: list[int] | None = None


@post("/api/readings", status_code=200, sync_to_thread=True, request_max_body_size=MAX_BODY)
def receive(request: Request[Any, Any, State], body: RawBody) -> Receipt:
    """Store a batch: OCMF texts, one a line, as text/plain; sent again, it changes nothing."""
    token = token_of(request)
    texts = _lines(body)
    database: Database = request.app.state.database
    known = known_number(request.headers.get(HEADER))
    # As worker: an agent is no party, its token and its signatures are what it may act by.
    with database.transaction(Role.WORKER) as session:
        store = MeteringStore(session)
        agent = identify(token, store=store)
        if agent is None:
            raise unknown_agent()
        receipt = ingest(texts, agent=agent, store=store, now=clock.now())
        schedule = None
        if known is not None and agent.revoked_at is None:
            key = request.app.state.platform_key
            schedule = schedule_in_force(session, agent.meter_id, known=known, key=key, now=clock.now()).text
        settled = settled_numbers(session, agent, request.headers.get(refusals.HEADER))
    refused = [RefusedRecord(one.pagination, one.reason) for one in receipt.refused]
    return Receipt(receipt.stored, receipt.duplicate, refused, receipt.high_water, schedule, settled)


def unknown_agent() -> Problem:
    """The answer to a token that no agent has."""
    return Problem(401, "Unknown agent", "No agent has this token.", "Enrol the agent with a new code.")


def token_of(request: Request[Any, Any, State]) -> str:
    """The bearer token that an agent sends; Problem when there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        what_to_do = "Send the token from enrolment as 'Authorization: Bearer ...'."
        raise Problem(401, "No token", "Readings are taken from enrolled agents only.", what_to_do)
    return token.strip()


def _lines(body: bytes) -> list[str]:
    try:
        lines = [line for line in body.decode("utf-8").split("\n") if line.strip()]
    except UnicodeDecodeError:
        raise Problem(400, "Not text", "The body is not UTF-8 text.", "Send OCMF texts, one a line.") from None
    if not lines:
        raise Problem(400, "Nothing sent", "The body holds no record.", "Send OCMF texts, one a line.")
    if len(lines) > MAX_RECORDS:
        detail = f"{len(lines)} records in one batch are more than {MAX_RECORDS}."
        raise Problem(413, "Batch too large", detail, "Send fewer records at once.")
    return lines


route_handlers = [receive]
