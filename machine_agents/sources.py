"""Which source reads the machine, by the configuration's `[source] kind`."""

from collections.abc import Callable
from typing import TypeAlias

from machine_agents import profile
from machine_agents.config import AgentConfig
from machine_agents.delivery import Sink, Source
from machine_agents.opcua_source.source import OpcUaSource
from machine_agents.status import Status

MakeSource: TypeAlias = Callable[[Sink, Status], Source]


def source_maker(config: AgentConfig, *, monotonic: Callable[[], float]) -> MakeSource:
    """What makes the configured source once there is a sink; BadProfile at once, not only then."""
    known = profile.load(config.source.profile)

    def make(sink: Sink, status: Status) -> Source:
        return OpcUaSource(config.source, known, sink, status, folder=config.data / "pki", monotonic=monotonic)

    return make
