"""Settling refused records: the chain goes on behind an accepted gap, or the record is noted; all are kept."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from metering.batch.end import End
from metering.chain import Passed
from metering.ingest import Receipt, ingest
from metering.machine import Agent
from metering.refusals.refusal import KeptAside
from metering.refusals.store import RefusalStore
from metering.store import MeteringStore

_LONGEST_WHY = 500
_MOST_AT_ONCE = 200
_ALL = 1_000_000


class CannotSettle(ValueError):
    """A refused record is settled once, in the chain's order, and with a reason of at most 500 characters."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What settling did: the gap that the chain may go on behind, or None where the record was only noted."""

    gap: Passed | None


def settle(
    agent: Agent, refused_id: UUID, *, why: str, by: str, refusals: RefusalStore, metering: MeteringStore, now: datetime
) -> Outcome:
    """Settle one refused record of `agent`. The one that the chain waits for becomes an accepted gap, which is recorded
    with who, when and why; one that the chain has passed already is noted. CannotSettle. Needs the worker's role.
    """
    reason, end = _reason(why), metering.lock_end(agent)
    found = refusals.unsettled(refused_id)
    if found is None or found[0].agent_id != agent.id:
        raise CannotSettle("there is no such record to settle: it was stored or settled meanwhile")
    one, _ = found
    gap = _gap(one, end, metering)
    refusals.settle(agent, [one], gap, why=reason, by=by, now=now)
    return Outcome(gap)


def note_all(agent: Agent, *, why: str, by: str, refusals: RefusalStore, metering: MeteringStore, now: datetime) -> int:
    """Settle every refused record of `agent` without a gap, as after its revocation: how many. The chain stays where
    it is, and goes on with the record that follows it."""
    reason = _reason(why)
    metering.lock_end(agent)
    found = refusals.kept_aside(agent.meter_id, most=_ALL)
    refusals.settle(agent, found, None, why=reason, by=by, now=now)
    return len(found)


def take_up(agent: Agent, *, refusals: RefusalStore, metering: MeteringStore, now: datetime) -> Receipt:
    """Try again what is kept aside behind the chain's end, as if it was sent again: the oldest, so many at once.

    `stored` of the receipt is zero when nothing more follows. Needs the worker's role.
    """
    end = metering.lock_end(agent)
    passed = metering.passed(agent.id, end.pagination)
    texts = refusals.waiting_texts(agent.id, passed.last if passed else end.pagination, most=_MOST_AT_ONCE)
    if not texts or end.agent.revoked_at is not None:
        return Receipt(0, 0, (), end.pagination)
    return ingest(texts, agent=end.agent, store=metering, now=now)


def expected(end: End, metering: MeteringStore) -> int:
    """The number of the record that the chain waits for, an accepted gap being passed."""
    passed = metering.passed(end.agent.id, end.pagination)
    return (passed.last if passed else end.pagination) + 1


def _gap(one: KeptAside, end: End, metering: MeteringStore) -> Passed | None:
    wanted = expected(end, metering)
    number = wanted if one.pagination is None else one.pagination
    if number < wanted:
        return None
    if number > wanted:
        raise CannotSettle(f"record {number} waits behind record {wanted}: settle that one first")
    return Passed(end.pagination, number, one.digest)


def _reason(why: str) -> str:
    said = why.strip()
    if not said or len(said) > _LONGEST_WHY:
        raise CannotSettle(f"say why, in 1 to {_LONGEST_WHY} characters")
    return said
