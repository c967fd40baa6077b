"""`spindleshare report`: what an owner tells the tax office, and what customers owe."""

from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.json_file import print_json

if TYPE_CHECKING:
    from billing.reports.ageing import Ageing
    from billing.reports.vat import VatReport

group = typer.Typer(no_args_is_help=True)
_OWNER = typer.Option(help="Whose: a name or an id of an organisation; the only one with books unless given.")
_JSON = typer.Option("--json", help="Print JSON, with every document.")


class NoDay(ValueError):
    """Write a day such as 2026-06-30."""


@group.command()
def vat(
    period: Annotated[str, typer.Option(help="A month (2026-05), or two days (2026-05-01/2026-08-01).")],
    owner: Annotated[str | None, _OWNER] = None,
    *,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """The VAT charged on invoices of a period, by category and rate, beside what the ledger has booked.

    Exit code 1: the ledger says something else; the difference is shown.
    """
    from app.cli.books import books, owner_of
    from app.cli.journal import days
    from billing.accounting.store import LedgerStore
    from billing.reports.report import report_vat
    from billing.reports.store import ReportStore

    first, last = days(period)
    with books() as session:
        whose = owner_of(session, owner)
        found = report_vat(whose.id, first, last, reports=ReportStore(session), ledger=LedgerStore(session))
    if as_json:
        print_json({"owner": {"id": str(whose.id), "name": whose.name}, **found.to_json()})
    else:
        _show_vat(whose.name, found)
    if not found.agrees:
        raise typer.Exit(1)


@group.command()
def ageing(
    on: Annotated[str | None, typer.Option(help="At the end of that day (2026-06-30); today unless given.")] = None,
    owner: Annotated[str | None, _OWNER] = None,
    *,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """What customers owe on a day, by how long it has been due, beside what the ledger says they owe.

    Exit code 1: the ledger says something else; the difference is shown.
    """
    from app import clock
    from app.cli.books import books, owner_of
    from billing.accounting.store import LedgerStore
    from billing.invoicing.numbering import local_date
    from billing.reports.report import report_ageing
    from billing.reports.store import ReportStore
    from metering.parties.store import PartyStore

    with books() as session:
        whose = owner_of(session, owner)
        day = _day(on) if on else local_date(clock.now(), whose.zone)
        reports, ledger, parties = ReportStore(session), LedgerStore(session), PartyStore(session)
        found = report_ageing(whose.id, day, reports=reports, ledger=ledger, parties=parties)
    if as_json:
        print_json({"owner": {"id": str(whose.id), "name": whose.name}, **found.to_json()})
    else:
        _show_ageing(whose.name, found)
    if not found.agrees:
        raise typer.Exit(1)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise NoDay(f"{text!r}: {NoDay.__doc__}") from error


def _show_vat(owner: str, found: "VatReport") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("Category", title=f"{owner}: VAT on invoices of {found.first_day} to {found.last_day}")
    for heading in ("Rate %", "Net", "VAT", "Invoices"):
        table.add_column(heading, justify="right")
    for row in found.rows:
        table.add_row(row.category, f"{row.rate * 100:f}", str(row.net), str(row.tax), str(row.invoices))
    console = Console()
    console.print(table if found.rows else f"{owner} issued no invoice from {found.first_day} to {found.last_day}.")
    for each in found.compared:
        told = f"charged {each.charged}, booked {each.booked}"
        if each.difference:
            console.print(f"{told}: the ledger differs by {each.difference}", style="red", highlight=False)
        else:
            console.print(f"{told}: they agree", highlight=False)


def _show_ageing(owner: str, found: "Ageing") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("Customer", title=f"{owner}: owed at the end of {found.on}")
    for heading in ("Not due", "1-30 days", "31-60", "61-90", "over 90", "Total", "Prepaid"):
        table.add_column(heading, justify="right")
    for each in found.customers:
        table.add_row(
            each.name, *(f"{part.decimal:,f}" for part in each.open), str(each.total), f"{each.prepaid.decimal:,f}"
        )
    console = Console()
    console.print(table if found.customers else f"Nobody owes {owner} anything on {found.on}.")
    for each in found.customers:
        if each.difference:
            told = f"{each.name}: the ledger says {each.booked}, {each.difference} more than open invoices"
            console.print(told, style="red", highlight=False)
