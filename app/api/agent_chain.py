"""Where an agent's chain ends on the service: asked at its start, and when its spool was damaged or restored."""

from typing import Any

import msgspec
from litestar import Request, get
from litestar.datastructures import State

from app.api.readings import token_of, unknown_agent
from app.database import Database, Role
from metering.enrol import identify
from metering.store import MeteringStore


class ChainEnd(msgspec.Struct):
    """The last stored record: its number, digest and text (empty before the first). `spectrum` holds, per spindle,
    [cell, cumulative ms, cell, cumulative ms, ...] of every cell."""

    pagination: int
    digest: str
    text: str
    spectrum: dict[str, list[int]]


@get("/api/agents/chain", sync_to_thread=True)
def chain_end(request: Request[Any, Any, State]) -> ChainEnd:
    """The end of the asking agent's own chain."""
    database: Database = request.app.state.database
    # As worker: an agent is no party, its token is what it may act by.
    with database.transaction(Role.WORKER) as session:
        store = MeteringStore(session)
        agent = identify(token_of(request), store=store)
        if agent is None:
            raise unknown_agent()
        chain, _ = store.lock_chain(agent)
        sequence = chain.last.sequence if chain.last else 0
        texts = store.texts(agent.meter_id, sequence, sequence)
    flat: dict[str, list[int]] = {}
    for (spindle, key), ms in sorted(chain.spectrum.items()):
        flat.setdefault(spindle, []).extend((key, ms))
    return ChainEnd(chain.pagination, chain.digest, texts[0] if texts else "", flat)


route_handlers = [chain_end]
