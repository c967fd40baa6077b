"""What settling a refused record would do, told before it is done."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from metering import ocmf
from metering.batch.end import End
from metering.chain import Fault, Passed
from metering.keyring import Keyring
from metering.machine import Agent
from metering.ocmf import BadSignature, OcmfError, Sealed
from metering.reading import Reading
from metering.refusals.refusal import KeptAside
from metering.refusals.settle import CannotSettle, gap_of
from metering.refusals.store import RefusalStore
from metering.store import MeteringStore

_TRIED = 20


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What settling `record` does. `gap` is None where it is only noted, and nothing else changes.

    `before` is the last stored reading, `behind` the first one of a record that waits and follows on the gap: what the
    registers grew by between the two is what the gap leaves to be billed as one difference. `waiting` is how many
    other texts are kept aside behind the record.
    """

    record: KeptAside
    gap: Passed | None
    before: Reading | None
    behind: Reading | None
    waiting: int

    @property
    def grown(self) -> Mapping[str, int]:
        """What each register grew by over the gap, in its smallest unit; empty where that is not known yet."""
        if self.before is None or self.behind is None:
            return {}
        before = self.before.registers
        return {code: value - before.get(code, 0) for code, value in self.behind.registers.items()}


def foresee(agent: Agent, refused_id: UUID, *, refusals: RefusalStore, metering: MeteringStore) -> Foreseen:
    """What settling one refused record of `agent` would do now. CannotSettle. Needs the worker's role."""
    end = metering.lock_end(agent)
    found = refusals.unsettled(refused_id)
    if found is None or found[0].agent_id != agent.id:
        raise CannotSettle("there is no such record to settle: it was stored or settled meanwhile")
    one = found[0]
    passed = metering.passed(agent.id, end.pagination)
    gap = gap_of(one, end.pagination, passed)
    if gap is None:
        return Foreseen(one, None, end.last, None, 0)
    texts = refusals.waiting_texts(agent.id, gap.last, most=_TRIED)
    behind = next(_follows(texts, end, [*passed, gap], metering.keyring(end.agent)), None)
    return Foreseen(one, gap, end.last, behind, refusals.count_behind(agent.id, gap.last))


def _follows(texts: list[str], end: End, passed: list[Passed], keys: Keyring) -> Iterator[Reading]:
    """The first reading of each text that would be taken behind the gaps."""
    for text in texts:
        sealed = _genuine(text, keys)
        if sealed is None:
            continue
        chain = end.chain()
        chain.passed = passed
        if not isinstance(chain.append(sealed), Fault):
            yield sealed.record.readings[0]


def _genuine(text: str, keys: Keyring) -> Sealed | None:
    try:
        sealed = ocmf.parse(text)
        ocmf.verify(sealed, keys.of(sealed.record.pagination))
    except (OcmfError, BadSignature):
        return None
    return sealed
