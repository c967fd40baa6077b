"""A machine agent's new key, announced by the agent itself."""

from typing import Annotated, Any

import msgspec
from litestar import Request, post
from litestar.datastructures import State
from litestar.params import JSONBody

from app import clock
from app.api.readings import token_of, unknown_agent
from app.database import Database, Role
from app.problems import Problem
from metering.enrol import identify
from metering.ocmf import BadKey
from metering.rotate_key import RotationRefused, rotate_key
from metering.store import MeteringStore

_MAX_BODY = 16 * 1024
_Proof = Annotated[str, msgspec.Meta(min_length=16, max_length=200)]


class NewKey(msgspec.Struct, forbid_unknown_fields=True):
    """`public_key_pem` signs from record `first_record` on; both keys' signatures of the handover, in hex."""

    public_key_pem: Annotated[str, msgspec.Meta(max_length=2000)]
    first_record: Annotated[int, msgspec.Meta(ge=1, le=2**62)]
    old_proof: _Proof
    new_proof: _Proof


class KeyTaken(msgspec.Struct):
    """From this record on the new key is valid."""

    first_record: int


@post("/api/agents/key", status_code=200, sync_to_thread=True, request_max_body_size=_MAX_BODY)
def rotate(request: Request[Any, Any, State], data: JSONBody[NewKey]) -> KeyTaken:
    """Let the agent's new key take over from a record on; the same again changes nothing."""
    database: Database = request.app.state.database
    try:
        # As worker: an agent is no party, its token and its keys are what it may act by.
        with database.transaction(Role.WORKER) as session:
            store = MeteringStore(session)
            agent = identify(token_of(request), store=store)
            if agent is None:
                raise unknown_agent()
            rotate_key(
                agent,
                data.public_key_pem,
                data.first_record,
                old_proof=data.old_proof,
                new_proof=data.new_proof,
                store=store,
                now=clock.now(),
            )
    except RotationRefused as refused:
        what_to_do = "Ask the operator: a box whose key is not taken is enrolled anew with a code that replaces it."
        raise Problem(409, "New key refused", str(refused), what_to_do) from None
    except BadKey as error:
        raise Problem(400, "Not a usable key", str(error), "Send an ECDSA P-256 public key as PEM text.") from None
    return KeyTaken(data.first_record)


route_handlers = [rotate]
