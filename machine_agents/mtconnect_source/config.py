"""How an MTConnect agent is asked: the entries of `[source]` with `kind = "mtconnect"`."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class MtConnectConfig:
    """`endpoint` is the agent's address, `machine` the device's name or uuid (needed where it has several).

    `mapping` replaces what is read from the Devices document (an item mapping file). `settle_ms`: how much later than
    the agent's clock values of before it may still come from an adapter. `heartbeat_ms`: pause after which the
    agent answers although nothing happened. `count`: observations an answer at the most.
    `available_is_life`: the agent's word that its adapter is available proves the machine alive, without any value.
    """

    endpoint: str
    machine: str = ""
    mapping: Path | None = None
    interval_ms: int = 500
    heartbeat_ms: int = 2_000
    settle_ms: int = 1_000
    count: int = 1_000
    request_seconds: int = 10
    retry_max_seconds: int = 30
    available_is_life: bool = False
