"""Which source reads the machine, by the configuration's `[source] kind`.

Each source's library is loaded only where it is used: asyncua's generated types alone take half of an agent's start.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from machine_agents import profile
from machine_agents.budget import OverBudget, check_budget
from machine_agents.config import AgentConfig, BadConfig
from machine_agents.delivery import Sink, Source
from machine_agents.item_mapping import MappingError, load_mapping
from machine_agents.mtconnect_source.config import MtConnectConfig
from machine_agents.status import Status

MakeSource: TypeAlias = Callable[[Sink, Status], Source]


def with_counters(config: AgentConfig) -> AgentConfig:
    """The configuration with the counters' policies of its profile or mapping. BadProfile and BadConfig."""
    source = config.source
    if isinstance(source, MtConnectConfig):
        try:
            counters = load_mapping(source.mapping).counters if source.mapping else {}
        except MappingError as error:
            raise BadConfig(str(error)) from error
    else:
        counters = profile.load(source.profile).counters
    return replace(config, meter=replace(config.meter, policy=replace(config.meter.policy, counters=counters)))


def source_maker(config: AgentConfig, *, monotonic: Callable[[], float]) -> MakeSource:
    """What makes the configured source once there is a sink; BadProfile and BadConfig at once, not only then."""
    if isinstance(config.source, MtConnectConfig):
        from machine_agents.mtconnect_source.source import MtConnectSource

        asked = config.source
        return lambda sink, status: MtConnectSource(asked, sink, status)
    server = config.source
    known = profile.load(server.profile)
    try:
        check_budget(known, server)
    except OverBudget as over:
        raise BadConfig(str(over)) from over

    from machine_agents.opcua_source.source import OpcUaSource

    def make(sink: Sink, status: Status) -> Source:
        return OpcUaSource(server, known, sink, status, folder=config.data / "pki", monotonic=monotonic)

    return make
