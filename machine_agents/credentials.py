"""The agent's secrets as files that only their owner can read: signing key, token, password."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from machine_agents.delivery import NotStored
from metering.ocmf import PrivateKey, new_key, private_from_pem, private_to_pem, public_from_pem

KEY_FILE = "agent-key.pem"
_FROM_THE_START = ("agent_id", "meter_serial", "machine_model", "token")


class BadSecret(ValueError):
    """A file that should hold a secret is missing, empty or not readable."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the service told the agent when it enrolled it. `schedule_key_pem` signs the cut schedules that the agent
    follows; empty where a service of before schedules enrolled it."""

    agent_id: str
    meter_serial: str
    machine_model: str
    token: str
    schedule_key_pem: str = ""

    @classmethod
    def of(cls, answer: Mapping[str, object]) -> "Enrolment":
        """From the service's answer; KeyError when something is missing, ValueError when the key is none."""
        pem = str(answer.get("schedule_key_pem") or "")
        if pem:
            public_from_pem(pem)
        agent, meter, model, token = (str(answer[name]) for name in _FROM_THE_START)
        return cls(agent, meter, model, token, pem)


def signing_key(folder: Path) -> PrivateKey:
    """The agent's key in `folder`, made on the first start."""
    path = folder / KEY_FILE
    if path.exists():
        return private_from_pem(path.read_text(encoding="ascii"))
    key = new_key()
    write_secret(path, private_to_pem(key).encode("ascii"))
    return key


def enrolment(folder: Path) -> Enrolment | None:
    """What the service gave on enrolment; None before."""
    path = folder / "enrolment.json"
    return Enrolment.of(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def save_enrolment(folder: Path, value: Enrolment) -> None:
    write_secret(folder / "enrolment.json", json.dumps(asdict(value)).encode("utf-8"))


def first_line(path: Path, what: str) -> str:
    """The secret in the first line of `path`; BadSecret names `what` it should be."""
    try:
        line = path.read_text(encoding="utf-8").partition("\n")[0].strip()
    except OSError as error:
        raise BadSecret(f"cannot read the {what} in {path}: {error.strerror}") from error
    if not line:
        raise BadSecret(f"{path} is empty: write the {what} into its first line")
    return line


def write_secret(path: Path, content: bytes) -> None:
    """Write the whole file or nothing, readable by its owner only, on the disk when it returns; else NotStored."""
    try:
        _write_whole(path, content)
    except OSError as error:
        raise NotStored(
            f"{path} cannot be written: {error.strerror}; the agent needs room and the right to write"
        ) from error


def _write_whole(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
