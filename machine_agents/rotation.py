"""A new signing key for the agent, at any time and without the service: switched here first, announced afterwards.

The new key signs from the next record on; what was sealed before and not yet sent is verified by the key before. Both
keys sign the handover at once, so that the old one is needed no more. Until the service has taken it, no record of the
new key is sent.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from machine_agents.credentials import KEY_FILE, Enrolment, signing_key, write_secret
from machine_agents.spool import Spool
from metering import ocmf
from metering.keyring import handover, prove

_NEXT_KEY, _PENDING = "agent-key.next.pem", "key-rotation.json"


class RotationPending(Exception):
    """The service has not taken the last new key yet: let the agent run until it has."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """A new key that the service is to be told of, as it is sent."""

    public_key_pem: str
    first_record: int
    old_proof: str
    new_proof: str


def begin_rotation(folder: Path, enrolment: Enrolment, spool: Spool) -> Rotation:
    """Make a new key and let it sign from the next record on. The caller holds the folder's lock (an open spool).

    Killed at any moment, it has either not happened or `finish_switch` completes it.
    """
    finish_switch(folder)
    if pending(folder) is not None:
        raise RotationPending("the service has not taken the last new key yet: let the agent run until it has")
    old, new = signing_key(folder), ocmf.new_key()
    first = spool.tail.pagination + 1
    said = handover(enrolment.agent_id, enrolment.meter_serial, first, new.public_key())
    rotation = Rotation(ocmf.public_to_pem(new.public_key()), first, prove(old, said), prove(new, said))
    write_secret(folder / _NEXT_KEY, ocmf.private_to_pem(new).encode("ascii"))
    write_secret(folder / _PENDING, json.dumps(asdict(rotation)).encode("utf-8"))
    finish_switch(folder)
    return rotation


def finish_switch(folder: Path) -> None:
    """Complete a switch that a kill interrupted, before anything is sealed: with its announcement, or not at all."""
    upcoming = folder / _NEXT_KEY
    if not upcoming.exists():
        return
    rotation = pending(folder)
    public = ocmf.public_to_pem(ocmf.private_from_pem(upcoming.read_text(encoding="ascii")).public_key())
    if rotation is not None and rotation.public_key_pem == public:
        upcoming.replace(folder / KEY_FILE)
    else:
        upcoming.unlink()


def pending(folder: Path) -> Rotation | None:
    """The rotation that the service is still to be told of."""
    path = folder / _PENDING
    return Rotation(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def announced(folder: Path) -> None:
    """The service has taken it."""
    (folder / _PENDING).unlink(missing_ok=True)
