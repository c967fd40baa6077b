"""The cut schedule of an agent that polls because it has nothing to send."""

from typing import Any

import msgspec
from litestar import Request, get
from litestar.datastructures import State

from app import clock
from app.api.readings import token_of, unknown_agent
from app.cut_schedules import HEADER, known_number, schedule_in_force
from app.database import Database, Role
from app.problems import Problem
from metering.enrol import identify
from metering.ocmf import public_to_pem
from metering.store import MeteringStore


class ScheduleInForce(msgspec.Struct):
    """`schedule` is the signed text, null when the agent has said that it knows this `number`; `schedule_key_pem` is
    the key that signs it, for an agent that enrolled before schedules were."""

    number: int
    schedule: str | None
    schedule_key_pem: str


@get("/api/agents/schedule", sync_to_thread=True)
def schedule(request: Request[Any, Any, State]) -> ScheduleInForce:
    """The asking agent's cut schedule. The header Spindleshare-Schedule says the number of the one it has."""
    database: Database = request.app.state.database
    key = request.app.state.platform_key
    # As worker: an agent is no party, its token is what it may act by.
    with database.transaction(Role.WORKER) as session:
        agent = identify(token_of(request), store=MeteringStore(session))
        if agent is None:
            raise unknown_agent()
        if agent.revoked_at is not None:
            what_to_do = "Enrol it anew with a code that replaces it."
            raise Problem(403, "Agent revoked", "A revoked agent is told of no sessions.", what_to_do)
        known = known_number(request.headers.get(HEADER)) or 0
        found = schedule_in_force(session, agent.meter_id, known=known, key=key, now=clock.now())
    return ScheduleInForce(found.number, found.text, public_to_pem(key.public_key()))


route_handlers = [schedule]
