"""What `discover` shows to people."""

from rich.console import Console
from rich.table import Table

from machine_agents.opcua_source.discovery import Proposal, Survey


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
