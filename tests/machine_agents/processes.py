"""Agents and simulators as processes of their own, to be stopped and killed."""

import json
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from machine_agents.credentials import signing_key
from machine_agents.opcua_source.state import SubscriptionState
from machine_agents.spool import Spool
from metering.ocmf import Sealed, parse
from metering.reading import Reading
from tests.machine_agents.fake_service import CODE
from tests.machine_agents.plain_server import PASSWORD, USER

_CONFIG = """
[agent]
data = "data"
[source]
endpoint = "{endpoint}"
user = "{user}"
password_file = "password"
profile = "{profile}"
publish_ms = {publish_ms}
sampling_ms = 0
queue = {queue}
retry_max_seconds = 1
[service]
url = "{service}"
code_file = "code"
retry_max_seconds = 1
[meter]
silence_ms = 30000
interim_seconds = {interim_seconds}
"""


@dataclass
class AgentFolder:
    """An agent's folder: configuration, secrets, data. The key may be given, so that two agents seal alike."""

    path: Path
    endpoint: str
    service: str
    profile: str = "simulator"
    publish_ms: int = 20
    interim_seconds: int = 0
    queue: int = 10_000
    starts: list["AgentProcess"] = field(default_factory=list)

    def prepare(self, key_from: "AgentFolder | None" = None) -> "AgentFolder":
        self.data.mkdir(parents=True)
        (self.path / "password").write_text(PASSWORD)
        (self.path / "code").write_text(CODE)
        (self.path / "agent.toml").write_text(_CONFIG.format(**(vars(self) | {"user": USER})))
        if key_from is not None:
            signing_key(key_from.data)
            (self.data / "agent-key.pem").write_bytes((key_from.data / "agent-key.pem").read_bytes())
        return self

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads((self.data / "status.json").read_text())
        return status

    def forget_session(self) -> None:
        """As if the server's session had timed out: its subscription can only be transferred."""
        spool = Spool(self.data)
        if text := spool.kept("source"):
            spool.commit({"source": replace(SubscriptionState.of_text(text), token="").to_text()})
        spool.close()

    def forget_subscription(self) -> None:
        """As if the server had given it up: it can only be made anew."""
        spool = Spool(self.data)
        if text := spool.kept("source"):
            gone = replace(SubscriptionState.of_text(text), token="", subscription=999_999_999)
            spool.commit({"source": gone.to_text()})
        spool.close()

    def start(self) -> "AgentProcess":
        self.starts.append(AgentProcess(self.path / "agent.toml"))
        return self.starts[-1]


class AgentProcess:
    """`python -m machine_agents run`, with its log."""

    def __init__(self, config: Path) -> None:
        command = [sys.executable, "-m", "machine_agents", "run", "--config", str(config)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.events: list[dict[str, Any]] = []
        self._news = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for(self, event: str, seconds: float = 30) -> None:
        """Until the log has `event`."""
        with self._news:
            if not self._news.wait_for(lambda: any(one["event"] == event for one in self.events), seconds):
                raise TimeoutError(f"no {event!r} among {self.events}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self.events.append(json.loads(line) if line.startswith("{") else {"event": "no JSON", "line": line})
                self._news.notify_all()


def readings(texts: list[str]) -> list[Reading]:
    """Every reading of `texts`, whatever records they share."""
    return [reading for one in chain(texts) for reading in one.record.readings]


def chain(texts: list[str]) -> list[Sealed]:
    """The records of `texts`, checked to be numbered and linked without a hole."""
    records = [parse(text) for text in texts]
    assert [one.record.pagination for one in records] == list(range(1, len(records) + 1))
    assert [one.record.previous for one in records[1:]] == [one.digest for one in records[:-1]]
    sequences = [reading.sequence for one in records for reading in one.record.readings]
    assert sequences == list(range(1, len(sequences) + 1))
    return records
