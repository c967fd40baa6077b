"""What `discover` and `status` show to people."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from machine_agents.health import Health
from machine_agents.opcua_source.discovery import Proposal, Survey
from machine_agents.report import doing
from metering.register import billed_unit, in_billed_unit


def show_survey(survey: Survey) -> None:
    """A table of signals for each profile, what can be metered and what cannot, and what to do next."""
    # Names come from the server: nothing in them is markup.
    console = Console(markup=False, highlight=False)
    console.print(f"server {survey.endpoint}; certificates (SHA-256):")
    console.print(f"  server {survey.server_certificate}\n  agent  {survey.agent_certificate}", soft_wrap=True)
    for proposal in survey.proposals:
        _show(console, proposal)


def _show(console: Console, proposal: Proposal) -> None:
    table = Table(title=f"profile {proposal.profile}: {proposal.description}", title_justify="left")
    for heading in ("signal", "value now", "node"):
        table.add_column(heading, overflow="fold")
    for one in proposal.offered:
        table.add_row(one.signal, "unavailable" if one.value is None else str(one.value), one.path)
    for signal, why in proposal.missing.items():
        table.add_row(signal, "missing", why, style="red")
    console.print(table)
    metered = ", ".join(proposal.metered) if proposal.usable else "nothing, without a heartbeat"
    console.print(f"can be metered:    {metered}")
    console.print(f"cannot be metered: {', '.join(proposal.not_metered) or 'nothing is missing'}")
    if proposal.usable:
        console.print(f'next: write profile = "{proposal.profile}" into [source] of the agent\'s configuration')


def show_status(facts: Mapping[str, Mapping[str, Any]], health: Health, *, written: datetime, stale: bool) -> None:
    """How the agent stands: its parts, its registers, and what somebody has to do."""
    console = Console(markup=False, highlight=False)
    old = ": THE AGENT DOES NOT RUN" if stale else ""
    console.print(f"agent {facts.get('agent', {}).get('name', '')} at {written:%Y-%m-%d %H:%M:%S} UTC{old}")
    console.print(f"  {health.state}: {doing(facts)}")
    for finding in health.findings:
        console.print(f"  {finding.state}  {finding.name}: {finding.what}\n    -> {finding.what_to_do}", soft_wrap=True)
    meter = facts.get("meter", {})
    if registers := meter.get("registers"):
        table = Table(title=f"registers at {meter.get('heartbeat', 'no heartbeat yet')}", title_justify="left")
        table.add_column("register")
        table.add_column("value", justify="right")
        table.add_column("unit")
        for code, value in sorted(registers.items()):
            table.add_row(code, f"{float(in_billed_unit(code, value)):,.3f}", billed_unit(code))
        console.print(table)
