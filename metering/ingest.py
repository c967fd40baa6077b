"""Taking in a batch of sealed records: all checks, one transaction, a receipt that says how far the chain reaches."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from metering import ocmf
from metering.chain import Chain, Fault
from metering.cut_usage import extend_usage
from metering.interval import Step
from metering.keyring import Keyring
from metering.machine import Agent
from metering.ocmf import BadSignature, OcmfError, Sealed
from metering.store import Accepted, MeteringStore, Refused

_PAGINATION = re.compile(r'"PG":"T(\d{1,18})"')


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch. `high_water` is the highest pagination up to which all records are stored."""

    stored: int
    duplicate: int
    refused: tuple[Refused, ...]
    high_water: int


def ingest(texts: Sequence[str], *, agent: Agent, store: MeteringStore, now: datetime) -> Receipt:
    """Verify and store `texts` of `agent`; what is refused is kept aside with its reason, the rest is stored.

    A record already stored is a no-op when it is the same text and refused when it is another. Needs the worker's role;
    everything happens in the store's transaction, under the agent's lock from the first look at its chain.
    """
    sealed, refused = _read(texts, store.keyring(agent))
    chain, layout = store.lock_chain(agent)
    trusted = store.trusted_now(agent)
    if trusted.revoked_at is not None:
        return _keep_aside(texts, trusted, chain, store=store, now=now)
    if trusted.public_key_pem != agent.public_key_pem:
        # Another key came while this upload waited for the lock: what counts is who had to sign now.
        sealed, refused = _read(texts, store.keyring(trusted))
    since = chain.last.device_time if chain.last else None
    accepted, duplicate, misplaced = _sort(sealed, chain, store.digests(agent.meter_id, _known(sealed, chain)))
    refused += misplaced
    if accepted:
        layout = store.add_records(agent, accepted, chain=chain, layout=layout, now=now)
        store.mark_sessions(agent, accepted)
        steps = [step for one in accepted for step in one.steps]
        extend_usage(agent, steps, since=since, layout=layout, store=store, now=now)
    store.add_refused(agent, refused, now=now)
    return Receipt(len(accepted), duplicate, tuple(refused), chain.pagination)


def _keep_aside(texts: Sequence[str], agent: Agent, chain: Chain, *, store: MeteringStore, now: datetime) -> Receipt:
    """Nothing of a revoked agent is stored, and nothing is thrown away."""
    reason = f"the agent was revoked on {agent.revoked_at:%Y-%m-%d %H:%M} UTC: {agent.revoked_why}"
    refused = tuple(
        Refused(text, hashlib.sha256(text.encode()).hexdigest(), _claimed_pagination(text), reason) for text in texts
    )
    store.add_refused(agent, refused, now=now)
    return Receipt(0, 0, refused, chain.pagination)


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


def _sort(sealed: Sequence[Sealed], chain: Chain, digests: dict[int, str]) -> tuple[list[Accepted], int, list[Refused]]:
    """Append to `chain` what follows; tell duplicates from what does not belong."""
    accepted: list[Accepted] = []
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
        pairs = zip(one.record.readings, taken, strict=True)
        accepted.append(Accepted(one, tuple(Step(reading, grown, one.record.replayed) for reading, grown in pairs)))
        digests[pagination] = one.digest
    return accepted, duplicate, refused
