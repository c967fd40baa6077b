"""From figures back to the signed texts that prove them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from metering.chain import Passed
from metering.keyring import Keyring
from metering.machine import Agent
from metering.ocmf import parse
from metering.store import MeteringStore
from metering.usage import Usage


class NoEvidence(LookupError):
    """The meter has no agent or no such readings that you may see."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What `audit.audit` needs: the run of `texts` around the figures, and `earlier` ones for the spectrum before it.

    `passed` are the accepted gaps in the chain before its end. `keys` are for our own look at it; an auditor takes the
    keys from a registry, never from here.
    """

    agent: Agent
    texts: tuple[str, ...]
    earlier: tuple[str, ...]
    keys: Keyring
    passed: tuple[Passed, ...] = ()


def evidence_for(meter_id: UUID, usages: Sequence[Usage], *, store: MeteringStore) -> Evidence:
    """The signed texts that `usages`, of one meter, are the differences of. Needs the worker's role."""
    if not usages:
        raise NoEvidence("there is no usage to prove")
    first = min(usage.evidence[0] for usage in usages)
    last = max(usage.evidence[1] for usage in usages)
    agent, texts = store.agent_of(meter_id), store.texts(meter_id, first, last)
    if agent is None or not texts:
        raise NoEvidence(f"readings {first} to {last} of meter {meter_id} are not there, or not yours to see")
    newest = parse(texts[-1]).record.pagination
    passed = tuple(gap for gap in store.gaps(meter_id) if gap.after < newest)
    return Evidence(agent, tuple(texts), tuple(_earlier(meter_id, texts[0], store)), store.keyring(agent), passed)


def _earlier(meter_id: UUID, first_text: str, store: MeteringStore) -> list[str]:
    """The texts before the run in which each spectrum cell last grew, in order, each once."""
    begins = parse(first_text).record.readings[0].sequence
    holders = store.last_with_cells(meter_id, begins)
    return list(dict.fromkeys(text for sequence in holders for text in store.texts(meter_id, sequence, sequence)))
