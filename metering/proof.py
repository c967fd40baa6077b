"""One reading's proof: the sealed text that holds it, and whether it says what is stored."""

from dataclasses import dataclass
from uuid import UUID

from metering import ocmf
from metering.keyring import Keyring
from metering.machine import Agent
from metering.ocmf import BadSignature, OcmfError, Sealed
from metering.reading import Reading
from metering.store import MeteringStore


@dataclass(frozen=True, slots=True)
class Proof:
    """The record that holds a reading, the agent whose key is pinned, and what is wrong with it (None: nothing)."""

    sealed: Sealed
    agent: Agent
    fault: str | None


def prove(meter_id: UUID, reading: Reading, *, store: MeteringStore) -> Proof | None:
    """Check the record of a stored reading under the key pinned at enrolment. Needs the worker's role.

    None where there is no record of it, or no agent.
    """
    agent, texts = store.agent_of(meter_id), store.texts(meter_id, reading.sequence, reading.sequence)
    if agent is None or not texts:
        return None
    sealed = ocmf.parse(texts[0])
    return Proof(sealed, agent, _fault(sealed, store.keyring(agent), reading))


def _fault(sealed: Sealed, keys: Keyring, reading: Reading) -> str | None:
    try:
        ocmf.verify(sealed, keys.of(sealed.record.pagination))
    except (BadSignature, OcmfError) as error:
        return str(error)
    told = next((each for each in sealed.record.readings if each.sequence == reading.sequence), None)
    if told is None or told.device_time != reading.device_time:
        return "the sealed record does not hold this reading"
    # A register that the record does not name yet counts as zero.
    if {code: value for code, value in reading.registers.items() if value} != {
        code: value for code, value in told.registers.items() if value
    }:
        return "the stored registers are not those that were sealed"
    return None
