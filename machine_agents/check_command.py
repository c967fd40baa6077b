"""`check`: a configuration against the live server and the service, a line for each thing, and what to do."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime

import httpx

from machine_agents import profile
from machine_agents.checks import Check, Verdict, local_checks, service_checks
from machine_agents.config import AgentConfig
from machine_agents.counter_table import told
from machine_agents.mtconnect_source.config import MtConnectConfig
from machine_agents.opcua_source.live_check import source_checks
from machine_agents.sources import with_counters

_REQUEST_SECONDS = 10


async def run_checks(config: AgentConfig, *, clock: Callable[[], datetime]) -> list[Check]:
    """Every check, those that need a network at the same time. BadProfile."""
    config = with_counters(config)
    if isinstance(config.source, MtConnectConfig):
        source = _mtconnect(config.source)
    else:
        known = profile.load(config.source.profile)
        source = source_checks(config.source, known, config.data / "pki", clock=clock)
    beside = [*local_checks(config), *_counters(config)]
    machine, service = await asyncio.gather(source, service_checks(config.service, config.data, clock=clock))
    return [*beside, *machine, *service]


def _counters(config: AgentConfig) -> list[Check]:
    """What the profile or mapping says of each counter's unusual steps."""
    policies = config.meter.policy.counters
    return [Check(f"counter {signal}", Verdict.OK, told(signal, one)) for signal, one in sorted(policies.items())]


async def _mtconnect(config: MtConnectConfig) -> list[Check]:
    """Whether the MTConnect agent answers; what it gives is shown by the status once the agent runs."""
    try:
        async with httpx.AsyncClient(timeout=_REQUEST_SECONDS) as client:
            answer = await client.get(f"{config.endpoint.rstrip('/')}/probe")
            answer.raise_for_status()
    except httpx.HTTPError as error:
        why = f"{config.endpoint}: {str(error) or type(error).__name__}"
        return [Check("machine", Verdict.FAIL, why, "check source.endpoint and that the MTConnect agent runs")]
    return [Check("machine", Verdict.OK, f"the MTConnect agent at {config.endpoint} answers")]


def report(checks: list[Check], *, as_json: bool) -> str:
    """The checks as JSON, or a line each."""
    if as_json:
        return json.dumps([asdict(one) for one in checks], indent=1, ensure_ascii=False)
    return "\n".join(
        f"{one.verdict:<4}  {_plain(one.name)}: {_plain(one.what)}"
        + (f" -> {one.what_to_do}" if one.what_to_do else "")
        for one in checks
    )


def _plain(text: str) -> str:
    """One line: names come from the server."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def utc_now() -> datetime:
    return datetime.now(UTC)
