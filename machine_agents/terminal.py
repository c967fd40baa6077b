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
    fitting = [one for one in survey.proposals if one.usable]
    for proposal in fitting or survey.proposals:
        _show(console, proposal)
    if others := [one.profile for one in survey.proposals if fitting and not one.usable]:
        console.print(f"these profiles do not fit: {', '.join(others)}")
    _show_candidates(console, survey)
    if fitting:
        lines = "\n  ".join(fitting[0].config)
        console.print(f"next: write this into [source] of the agent's configuration, then run `check`\n  {lines}")


def _show_candidates(console: Console, survey: Survey) -> None:
    if survey.candidates:
        table = Table(title="numeric nodes that are not mapped and may be worth it", title_justify="left")
        for heading in ("node", "path", "value now", "unit", "perhaps"):
            table.add_column(heading, overflow="fold")
        for one in survey.candidates:
            table.add_row(one.node, one.path, one.value, one.unit or "says none", one.signal)
        console.print(table)
        console.print("--write-profile FILE drafts a profile of your own from them")
    if not survey.whole:
        console.print("the server is large: it was not looked through to its end")
    for note in survey.notes:
        console.print(f"note: {note}")


def _show(console: Console, proposal: Proposal) -> None:
    table = Table(title=f"profile {proposal.profile}: {proposal.description}", title_justify="left")
    for heading in ("signal", "value now", "node's unit", "history", "node"):
        table.add_column(heading, overflow="fold")
    for one in proposal.offered:
        table.add_row(
            one.signal, "unavailable" if one.value is None else str(one.value), one.unit, _yes(one.history), one.path
        )
    for signal, why in proposal.missing.items():
        table.add_row(signal, "missing", "", "", why, style="red")
    console.print(table)
    metered = ", ".join(proposal.metered) if proposal.usable else "nothing"
    console.print(f"can be metered:    {metered}")
    for what, why in proposal.not_metered.items():
        console.print(f"cannot be metered: {what} ({why})")
    for note in (*proposal.notes, *proposal.budget):
        console.print(f"note: {note}")


def _yes(what: bool) -> str:
    return "yes" if what else ""


def show_status(facts: Mapping[str, Mapping[str, Any]], health: Health, *, written: datetime, stale: bool) -> None:
    """How the agent stands: its parts, its registers, and what somebody has to do."""
    console = Console(markup=False, highlight=False)
    old = ": THE AGENT DOES NOT RUN" if stale else ""
    console.print(f"agent {facts.get('agent', {}).get('name', '')} at {written:%Y-%m-%d %H:%M:%S} UTC{old}")
    console.print(f"  {health.state}: {doing(facts)}")
    for finding in health.findings:
        console.print(f"  {finding.state}  {finding.name}: {finding.what}\n    -> {finding.what_to_do}", soft_wrap=True)
    console.print(f"  {_schedule_line(facts.get('schedule', {}))}", soft_wrap=True)
    if history := facts.get("source", {}).get("history"):
        console.print(f"  recovered from history: {history}", soft_wrap=True)
    meter = facts.get("meter", {})
    if registers := meter.get("registers"):
        table = Table(title=f"registers at {meter.get('heartbeat', 'no heartbeat yet')}", title_justify="left")
        table.add_column("register")
        table.add_column("value", justify="right")
        table.add_column("unit")
        for code, value in sorted(registers.items()):
            table.add_row(code, f"{float(in_billed_unit(code, value)):,.3f}", billed_unit(code))
        console.print(table)


def _schedule_line(schedule: Mapping[str, Any]) -> str:
    """What is known of sessions and tariff changes to come, and since when nothing newer was heard of."""
    if not schedule.get("number"):
        return "no cut schedule yet: sessions are cut by the service at quarter hours"
    following = f", the next at {schedule['next_cut']}" if schedule.get("next_cut") else ""
    confirmed = schedule.get("confirmed", "not since the start")
    ahead = schedule.get("cuts_ahead", 0)
    return f"cut schedule {schedule['number']}, confirmed {confirmed}: {ahead} cuts to come{following}"
