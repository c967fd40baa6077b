"""An agent's keys over its life: a new key by the agent itself, and the end of an agent that is trusted no more."""

from dataclasses import replace
from datetime import datetime

from metering import ocmf
from metering.keyring import handover, is_proven
from metering.machine import Agent
from metering.store import MeteringStore

MAX_REASON = 200


class RotationRefused(Exception):
    """The new key is not taken: the message says why; nothing has changed."""


class CannotRevoke(ValueError):
    """Give a reason of 1 to 200 characters: it is kept, and told with every record that is refused from then on."""


class NoSuchAgent(LookupError):
    """No agent is enrolled for this meter: check its serial number."""


def rotate_key(
    agent: Agent,
    public_key_pem: str,
    first: int,
    *,
    old_proof: str,
    new_proof: str,
    store: MeteringStore,
    now: datetime,
) -> None:
    """From record `first` on the agent signs with the new key; both keys must have signed the handover.

    The same again changes nothing. RotationRefused; BadKey when the new key is no P-256 key.
    """
    new = ocmf.public_from_pem(public_key_pem)
    chain, _ = store.lock_chain(agent)
    known = store.trusted_now(agent)
    if (known.fingerprint, known.key_first) == (ocmf.fingerprint(new), first):
        return
    said = handover(str(agent.id), agent.meter_serial, first, new)
    if known.revoked_at is not None:
        raise RotationRefused("the agent was revoked: enrol it with a new code")
    if first <= chain.pagination or first < known.key_first:
        raise RotationRefused(f"record {first} is there already, signed by the key before")
    if not is_proven(old_proof, said, ocmf.public_from_pem(known.public_key_pem)):
        raise RotationRefused("the handover is not signed by the key that is valid now")
    if not is_proven(new_proof, said, new):
        raise RotationRefused("the handover is not signed by the new key")
    store.add_key(known, public_key_pem, ocmf.fingerprint(new), first=first, reason="rotated by the agent", now=now)


def revoke_agent(serial: str, why: str, *, store: MeteringStore, now: datetime) -> Agent:
    """From now on nothing of this meter's agent is taken; what it sends is kept aside. Again: changes nothing.

    Also what it says it sealed before is not taken: who holds the key could have sealed it today.
    Raises UnknownMeter, NoSuchAgent, CannotRevoke.
    """
    if not 0 < len(why.strip()) <= MAX_REASON:
        raise CannotRevoke
    agent = store.agent_of(store.meter_by_serial(serial).id)
    if agent is None:
        raise NoSuchAgent(f"no agent is enrolled for meter {serial!r}: check the serial number")
    if agent.revoked_at is None:
        agent = replace(agent, revoked_at=now, revoked_why=why.strip())
        store.set_revoked(agent)
    return agent
