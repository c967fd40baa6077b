"""What `discover` shows to people."""

from rich.console import Console
from rich.table import Table

from machine_agents.opcua_source.discovery import Proposal, Survey


def show_survey(survey: Survey) -> None:
    """A table of signals for each profile, what can be metered and what cannot, and what to do next."""
    console = Console()
    console.print(f"server       {survey.endpoint}")
    console.print(f"certificate  server {survey.server_certificate}\n             agent  {survey.agent_certificate}")
    for proposal in survey.proposals:
        _show(console, proposal)


def _show(console: Console, proposal: Proposal) -> None:
    table = Table(title=f"profile {proposal.profile}: {proposal.description}", title_justify="left")
    for heading in ("signal", "value now", "node"):
        table.add_column(heading, overflow="fold")
    for one in proposal.offered:
        table.add_row(one.signal, "unavailable" if one.value is None else str(one.value), one.path)
    for signal, why in proposal.missing.items():
        table.add_row(f"[red]{signal}", "[red]missing", f"[red]{why}")
    console.print(table)
    console.print(f"can be metered:    {', '.join(proposal.metered) if proposal.usable else 'nothing (no heartbeat)'}")
    console.print(f"cannot be metered: {', '.join(proposal.not_metered) or 'nothing is missing'}")
    if proposal.usable:
        console.print(
            f'next: write profile = "{proposal.profile}" into the [source] table of the agent\'s configuration'
        )
