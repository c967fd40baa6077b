"""Live values: one stream of server-sent events for all that a page shows.

One stream a page, because a browser keeps only six connections to a host. It asks the database about every second how
far the meters have come, and looks closer only at those that moved.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from litestar import Request, get
from litestar.datastructures import State
from litestar.response import ServerSentEvent
from litestar.response.sse import ServerSentEventMessage

from app.clock import now
from app.database import Database, Role
from app.leases import meter_of, so_far
from app.pages.maker_view import live_state, live_values
from app.pages.sme_view import live_cost
from app.security import SignedIn, Viewer, only
from billing.capacity.lease import Lease
from billing.capacity.store import LeasingStore
from metering.machine import Machine, Meter
from metering.store import MeteringStore
from metering.store_machines import Head

PATH = "/live"
_POLL_SECONDS = 1.0
_KEEP_ALIVE_POLLS = 15
# A stream ends after a while and the browser opens it anew, so that signing out ends it too.
_POLLS = 600
_RETRY_MILLISECONDS = 2000

Values = dict[str, dict[str, object]]
"""Fields by place: a text each, or a state with its word and kind."""


class _Source(Protocol):
    def values(self, at: datetime) -> Values: ...


@get(PATH, sync_to_thread=False)
def stream(request: Request[Any, Any, State], viewer: SignedIn) -> ServerSentEvent:
    """Events named `values`, with what changed since the one before, until the viewer leaves or the service stops."""
    only(viewer, "maker", "sme")
    database: Database = request.app.state.database
    source: _Source = _Fleet(database, viewer) if viewer.role == "maker" else _Leases(database, viewer)
    return ServerSentEvent(_events(source, request.app.state.closing), headers={"Cache-Control": "no-store"})


async def _events(source: _Source, closing: asyncio.Event) -> AsyncIterator[ServerSentEventMessage]:
    sent: Values = {}
    yield ServerSentEventMessage(data=None, comment="values follow", retry=_RETRY_MILLISECONDS)
    for poll in range(_POLLS):
        # In a thread, and out of the transaction before anything is sent: a slow reader holds no connection.
        values = await asyncio.to_thread(source.values, now())
        if changed := changes(sent, values):
            yield ServerSentEventMessage(event="values", data=json.dumps(changed))
        elif poll % _KEEP_ALIVE_POLLS == 0:
            yield ServerSentEventMessage(data=None, comment="still here")
        sent = values
        try:
            await asyncio.wait_for(closing.wait(), _POLL_SECONDS)
        except TimeoutError:
            continue
        return


def changes(sent: Values, values: Values) -> Values:
    """What differs from what was sent."""
    differing = {
        place: {name: value for name, value in fields.items() if sent.get(place, {}).get(name) != value}
        for place, fields in values.items()
    }
    return {place: fields for place, fields in differing.items() if fields}


class _Fleet:
    """The registers of each of a maker's meters."""

    def __init__(self, database: Database, viewer: Viewer) -> None:
        self._database, self._party = database, viewer.organisation_id
        self._meters: list[tuple[Machine, Meter]] | None = None
        self._heads: dict[UUID, Head] = {}
        self._known: Values = {}

    def values(self, at: datetime) -> Values:
        """By meter. What has not moved is not read again."""
        with self._database.transaction(Role.APP, party=self._party) as session:
            metering = MeteringStore(session)
            if self._meters is None:
                owned = [machine for machine in metering.machines() if machine.owner_id == self._party]
                self._meters = [(machine, meter) for machine in owned for meter in metering.meters(machine.id)]
            heads = metering.heads(meter.id for _, meter in self._meters)
            for machine, meter in self._meters:
                head, place = heads.get(meter.id), str(meter.id)
                if place not in self._known or head != self._heads.get(meter.id):
                    latest = metering.latest(meter.id)
                    self._known[place] = dict(live_values(latest.reading if latest else None, machine.zone))
                state = live_state(head.heard_at if head else None, now=at)
                self._known[place] |= {"state": {"word": state.word, "kind": state.kind}}
            self._heads = heads
        return {place: dict(fields) for place, fields in self._known.items()}


class _Leases:
    """What each of a lessee's leases has cost so far."""

    def __init__(self, database: Database, viewer: Viewer) -> None:
        self._database, self._party = database, viewer.organisation_id
        self._held: list[Lease] | None = None
        self._heads: dict[UUID, Head] = {}
        self._known: Values = {}

    def values(self, at: datetime) -> Values:
        """By lease. The cost is worked out anew only where the meter has moved."""
        if self._held is None:
            with self._database.transaction(Role.APP, party=self._party) as session:
                self._held = [each for each in LeasingStore(session).leases() if each.lessee_id == self._party]
        with self._database.transaction(Role.WORKER) as session:
            meters = {lease.id: meter_of(session, lease) for lease in self._held}
            heads = MeteringStore(session).heads(set(meters.values()))
            for lease in self._held:
                meter = meters[lease.id]
                if str(lease.id) not in self._known or heads.get(meter) != self._heads.get(meter):
                    self._known[str(lease.id)] = dict(live_cost(lease, so_far(session, lease, now=at)))
            self._heads = heads
        return {place: dict(fields) for place, fields in self._known.items()}


route_handlers = [stream]
