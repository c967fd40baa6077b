"""Settling refused records: the chain goes on behind an accepted gap, or the record is noted; all are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from metering.chain import Passed
from metering.ingest import Receipt, ingest
from metering.machine import Agent
from metering.refusals.refusal import KeptAside
from metering.refusals.store import RefusalStore
from metering.store import MeteringStore

LONGEST_WHY = 500
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
    gap = gap_of(one, end.pagination, metering.passed(agent.id, end.pagination))
    refusals.settle(agent, [one], gap, why=reason, by=by, now=now)
    return Outcome(gap)


def note_all(agent: Agent, *, why: str, by: str, refusals: RefusalStore, metering: MeteringStore, now: datetime) -> int:
    """Settle without a gap what nothing waits for: how many. Of a revoked agent that is everything, of a trusted one
    what its chain has passed and what has no number. The chain stays where it is. Needs the worker's role."""
    reason, end = _reason(why), metering.lock_end(agent)
    found = [
        one
        for one in refusals.kept_aside(agent.meter_id, most=_ALL)
        if is_noted(one, end.pagination) or end.agent.revoked_at is not None
    ]
    refusals.settle(agent, found, None, why=reason, by=by, now=now)
    return len(found)


def take_up(agent: Agent, *, refusals: RefusalStore, metering: MeteringStore, now: datetime) -> Receipt:
    """Try again what is kept aside behind the chain's end, as if it was sent again: the oldest, so many at once.

    `stored` of the receipt is zero when nothing more follows. Needs the worker's role.
    """
    end = metering.lock_end(agent)
    texts = refusals.waiting_texts(agent.id, end.pagination, most=_MOST_AT_ONCE)
    if not texts or end.agent.revoked_at is not None:
        return Receipt(0, 0, (), end.pagination)
    return ingest(texts, agent=end.agent, store=metering, now=now)


def gap_of(one: KeptAside, end: int, passed: Sequence[Passed]) -> Passed | None:
    """The gap that `one` becomes when it is settled, of a chain that ends at record `end` with accepted gaps `passed`
    there. None where it is only noted: the chain has passed its number, or the text has none. CannotSettle.

    Where several texts claim one number, each may be settled: the next record is linked to one of them.
    """
    if one.pagination is None or is_noted(one, end):
        return None
    wanted = max([end, *(gap.last for gap in passed)]) + 1
    if one.pagination > wanted:
        raise CannotSettle(f"record {one.pagination} waits behind record {wanted}: settle that one first")
    return Passed(end, one.pagination, one.digest)


def is_noted(one: KeptAside, end: int) -> bool:
    """Whether nothing waits for the text, of a chain that ends at record `end`: it would only be noted."""
    return one.pagination is None or one.pagination <= end


def _reason(why: str) -> str:
    said = why.strip()
    if not said or len(said) > LONGEST_WHY:
        raise CannotSettle(f"say why, in 1 to {LONGEST_WHY} characters")
    return said
