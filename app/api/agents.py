"""Machine agents: enrolment with a one-time code."""

from typing import Annotated, Any

import msgspec
from litestar import Request, post
from litestar.datastructures import State
from litestar.params import JSONBody

from app import clock
from app.database import Database, Role
from app.problems import Problem
from metering.enrol import AlreadyEnrolled, CodeExpired, EnrolmentRefused, UnknownCode, redeem
from metering.ocmf import BadKey, public_to_pem
from metering.store import MeteringStore

_MAX_BODY = 16 * 1024
_STATUS: dict[type[Exception], tuple[int, str]] = {
    UnknownCode: (404, "Ask the operator for the code, or type it again."),
    CodeExpired: (410, "Ask the operator for a new code."),
    AlreadyEnrolled: (409, "Use the key that was enrolled first, or ask the operator for another meter's code."),
}


class Enrolment(msgspec.Struct, forbid_unknown_fields=True):
    """What an agent says of itself: the operator's code, its public key (PEM, P-256), its name and version."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    public_key_pem: Annotated[str, msgspec.Meta(max_length=2000)]
    agent: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    version: Annotated[str, msgspec.Meta(max_length=100)]


class EnrolledAgent(msgspec.Struct):
    """What the agent writes into its records, the `token` that it sends with them, and the key (PEM) that signs the cut
    schedules which it has to follow."""

    agent_id: str
    meter_serial: str
    machine_model: str
    token: str
    schedule_key_pem: str


@post("/api/agents/enrol", status_code=201, sync_to_thread=True, request_max_body_size=_MAX_BODY)
def enrol(request: Request[Any, Any, State], data: JSONBody[Enrolment]) -> EnrolledAgent:
    """Pin the agent's key to the code's meter; the same again gives the same answer."""
    database: Database = request.app.state.database
    try:
        # As worker: an agent is no party, its code is what it may act by.
        with database.transaction(Role.WORKER) as session:
            enrolled = redeem(
                data.code,
                data.public_key_pem,
                name=data.agent,
                version=data.version,
                store=MeteringStore(session),
                now=clock.now(),
            )
    except EnrolmentRefused as refused:
        status, what_to_do = _STATUS.get(type(refused), (409, ""))
        raise Problem(status, "Not enrolled", str(refused), what_to_do) from None
    except BadKey as error:
        raise Problem(400, "Not a usable key", str(error), "Send an ECDSA P-256 public key as PEM text.") from None
    schedule_key = public_to_pem(request.app.state.platform_key.public_key())
    return EnrolledAgent(
        str(enrolled.agent_id), enrolled.meter_serial, enrolled.machine_model, enrolled.token, schedule_key
    )


route_handlers = [enrol]
