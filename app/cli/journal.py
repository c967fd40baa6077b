"""`spindleshare journal`: an owner's books as a file for other accounting programs."""

import sys
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

group = typer.Typer(no_args_is_help=True)


class Form(StrEnum):
    """The formats; the same as billing's, which is not loaded for a help text."""

    HLEDGER = "hledger"
    LEDGER = "ledger"
    BEANCOUNT = "beancount"
    CSV = "csv"
    XLSX = "xlsx"
    DATEV = "datev"
    SAP = "sap"
    JSON = "json"


class NoBinaryHere(ValueError):
    """A workbook is no text: name a file with --output."""


@group.callback()
def journal() -> None:
    """An owner's books as a file for other accounting programs."""


@group.command()
def export(
    form: Annotated[Form, typer.Option("--format", help="What reads the file.")],
    period: Annotated[str, typer.Option(help="A month (2026-05), or two days (2026-05-01/2026-05-16).")],
    owner: Annotated[str | None, typer.Option(help="Whose books: a name or an id; the only ones unless given.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to; a folder, or a file.")] = None,
) -> None:
    """Write every entry of a period, with the balances before and after.

    hledger, ledger and beancount compare their balances with ours when they read the file. csv and xlsx are for people,
    json for scripts; datev and sap are generic posting files in the manner of those programs, with our account numbers.

    Example: spindleshare journal export --format hledger --period 2026-05 > may.journal; hledger -f may.journal check
    """
    from app.cli.books import books, owner_of
    from billing.accounting.export_journal import export as written
    from billing.accounting.export_journal import journal_of
    from billing.accounting.journal import Format
    from billing.accounting.store import LedgerStore
    from metering.parties.store import PartyStore

    if form is Form.XLSX and output is None:
        raise NoBinaryHere(f"{NoBinaryHere.__doc__}")
    first, last = days(period)
    with books() as session:
        whose = owner_of(session, owner)
        found = journal_of(whose.id, first, last, ledger=LedgerStore(session), parties=PartyStore(session))
    file = written(found, Format(form.value))
    if output is None:
        sys.stdout.buffer.write(file.content)
        return
    target = output / file.name if output.is_dir() else output
    target.write_bytes(file.content)
    typer.echo(f"{target}: {len(found.entries)} entries, {first} to {last}, of {whose.name}")


def days(period: str) -> tuple[date, date]:
    """The first and the last day of a period as people write it; books know days, no hours."""
    from billing.invoicing.billing_period import billing_period

    found = billing_period(period, "UTC")
    return found.start.date(), (found.end - timedelta(microseconds=1)).date()
