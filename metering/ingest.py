"""Taking in a batch of sealed records: all checks, one transaction, a receipt that says how far the chain reaches."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from metering import ocmf
from metering.batch.end import End
from metering.batch.follow import follow
from metering.batch.read import read
from metering.batch.taken import Taken, of_records
from metering.chain import Chain, Fault
from metering.cut_usage import extend_usage
from metering.keyring import Keyring
from metering.machine import Agent
from metering.ocmf import BadSignature, OcmfError, Sealed
from metering.store import MeteringStore, Refused

_PAGINATION = re.compile(r'"PG":"T(\d{1,18})"')


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch. `high_water` is the highest pagination up to which all records are stored."""

    stored: int
    duplicate: int
    refused: tuple[Refused, ...]
    high_water: int


@dataclass(slots=True)
class _Judged:
    """What became of the texts before anything is stored; `taken` is None where nothing is new."""

    taken: Taken | None
    duplicate: int = 0
    refused: list[Refused] = field(default_factory=list)


def ingest(texts: Sequence[str], *, agent: Agent, store: MeteringStore, now: datetime) -> Receipt:
    """Verify and store `texts` of `agent`; what is refused is kept aside with its reason, the rest is stored.

    A record already stored is a no-op when it is the same text and refused when it is another. Needs the worker's role;
    everything happens in the store's transaction, under the agent's lock from the first look at its chain.
    """
    batch = read(texts, store.keyring(agent))
    end = store.lock_end(agent)
    trusted = end.agent
    if trusted.revoked_at is not None:
        return _keep_aside(texts, end, store=store, now=now)
    if trusted.public_key_pem != agent.public_key_pem:
        # Another key came while this upload waited for the lock: what counts is who had to sign now.
        batch = read(texts, store.keyring(trusted))
    whole = follow(batch, end) if batch else None
    judged = _Judged(whole) if whole else _one_by_one(texts, end, store)
    if judged.taken:
        store.add_records(agent, judged.taken, layout=end.layout, now=now)
        store.mark_sessions(agent, judged.taken)
        extend_usage(end, judged.taken, store=store, now=now)
    store.add_refused(agent, judged.refused, now=now)
    high_water = judged.taken.heads[-1].pagination if judged.taken else end.pagination
    stored = len(judged.taken.heads) if judged.taken else 0
    return Receipt(stored, judged.duplicate, tuple(judged.refused), high_water)


def _keep_aside(texts: Sequence[str], end: End, *, store: MeteringStore, now: datetime) -> Receipt:
    """Nothing of a revoked agent is stored, and nothing is thrown away."""
    agent = end.agent
    reason = f"the agent was revoked on {agent.revoked_at:%Y-%m-%d %H:%M} UTC: {agent.revoked_why}"
    refused = tuple(
        Refused(text, hashlib.sha256(text.encode()).hexdigest(), _claimed_pagination(text), reason) for text in texts
    )
    store.add_refused(agent, refused, now=now)
    return Receipt(0, 0, refused, end.pagination)


def _one_by_one(texts: Sequence[str], end: End, store: MeteringStore) -> _Judged:
    """Judge what is not plainly the chain's next batch: each record by itself, with the reason where it is refused."""
    sealed, refused = _read(texts, store.keyring(end.agent))
    chain = end.chain()
    chain.passed = store.passed(end.agent.id, end.pagination)
    digests = store.digests(end.agent.meter_id, _known(sealed, chain))
    accepted, duplicate, misplaced = _sort(sealed, chain, digests)
    taken = of_records(accepted, chain=chain, layout=end.layout) if accepted else None
    return _Judged(taken, duplicate, [*refused, *misplaced])


def _read(texts: Sequence[str], keys: Keyring) -> tuple[list[Sealed], list[Refused]]:
    """What can be read and is genuine, by pagination; and the rest with its reason."""
    good: list[Sealed] = []
    refused: list[Refused] = []
    for text in texts:
        try:
            sealed = ocmf.parse(text)
            ocmf.verify(sealed, keys.of(sealed.record.pagination))
            good.append(sealed)
        except (OcmfError, BadSignature) as error:
            digest = hashlib.sha256(text.encode()).hexdigest()
            refused.append(Refused(text, digest, _claimed_pagination(text), str(error)))
    return sorted(good, key=lambda one: one.record.pagination), refused


def _claimed_pagination(text: str) -> int | None:
    """The number that a text gives itself, even where it is not genuine: it tells the agent and people which it is."""
    claimed = _PAGINATION.search(text)
    return int(claimed[1]) if claimed else None


def _known(sealed: Sequence[Sealed], chain: Chain) -> list[int]:
    return [one.record.pagination for one in sealed if one.record.pagination <= chain.pagination]


def _sort(
    sealed: Sequence[Sealed], chain: Chain, digests: dict[int, str]
) -> tuple[list[tuple[Sealed, list[dict[tuple[str, int], int]]]], int, list[Refused]]:
    """Append to `chain` what follows, with its growth; tell duplicates from what does not belong."""
    accepted: list[tuple[Sealed, list[dict[tuple[str, int], int]]]] = []
    refused: list[Refused] = []
    duplicate = 0
    for one in sealed:
        pagination = one.record.pagination
        if digests.get(pagination) == one.digest:
            duplicate += 1
            continue
        taken = chain.append(one)
        if isinstance(taken, Fault):
            reason = "another record is stored under this number" if pagination in digests else taken.reason
            refused.append(Refused(one.text, one.digest, pagination, reason))
            continue
        accepted.append((one, taken))
        digests[pagination] = one.digest
    return accepted, duplicate, refused
