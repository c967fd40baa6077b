"""`spindleshare close`: draft a period's invoices, and issue them if asked."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app import clock, installation, settings
from app.closing import close as close_on
from app.closing import issue as issue_on
from app.database import Database
from billing.invoicing.billing_period import billing_period
from billing.invoicing.close_period import Closing
from billing.invoicing.invoice import Invoice, Status
from billing.invoicing.invoice_json import as_object
from billing.money import quantity
from metering.register import billed_unit, in_billed_unit


def close(
    period: Annotated[str, typer.Option(help="A month (2026-05), or two days (2026-05-01/2026-05-16).")],
    zone: Annotated[str | None, typer.Option(help="Whose midnight. [env: SPINDLESHARE_ZONE]")] = None,
    *,
    issue: Annotated[bool, typer.Option("--issue", help="Also number and post them; held ones stay drafts.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print data instead of tables.")] = False,
) -> None:
    """Draft what every lease owes for a period beyond what is billed. Running it again changes nothing.

    Exit code 1: at least one lease could not be closed; the reason is shown and the others are closed.
    """
    chosen = settings.load()
    closed = billing_period(period, zone or chosen.zone)
    with installation.database_urls(chosen) as urls:
        database = Database(urls.run, pool=2)
        try:
            closing = close_on(database, closed, now=clock.now())
            invoices = list(closing.invoices)
            if issue:
                ready = [invoice.id for invoice in invoices if invoice.status is not Status.ISSUED and not invoice.held]
                issued = {invoice.id: invoice for invoice in issue_on(database, ready, now=clock.now())}
                invoices = [issued.get(invoice.id, invoice) for invoice in invoices]
        finally:
            database.close()
    if as_json:
        typer.echo(json.dumps(_data(closing, invoices), ensure_ascii=False, indent=2))
    else:
        _show(closing, invoices)
    if closing.parked:
        raise typer.Exit(1)


def _data(closing: Closing, invoices: list[Invoice]) -> dict[str, object]:
    return {
        "period": {"from": closing.period.start.isoformat(), "to": closing.period.end.isoformat()},
        "invoices": [as_object(invoice) | {"changed": invoice.id in closing.changed} for invoice in invoices],
        "parked": [{"lease": str(parked.lease), "reason": parked.reason} for parked in closing.parked],
        "outside_any_booking": [
            {"machine": str(outside.machine), "totals": dict(outside.totals)} for outside in closing.outside
        ],
    }


def _show(closing: Closing, invoices: list[Invoice]) -> None:
    console = Console()
    table = Table("Number", "Status", "From", "To", title=f"{closing.period.start:%Y-%m-%d %H:%M} UTC onwards")
    for heading in ("Net", "VAT", "Total"):
        table.add_column(heading, justify="right")
    for invoice in invoices:
        status = f"{invoice.status}, held: {invoice.held}" if invoice.held else str(invoice.status)
        amounts = (f"{invoice.net.decimal:,f}", f"{invoice.tax.decimal:,f}", str(invoice.total))
        table.add_row(invoice.number or "-", status, invoice.seller.name, invoice.buyer.name, *amounts)
    console.print(table if invoices else "No lease runs in this period.")
    for parked in closing.parked:
        console.print(f"Not closed: lease {parked.lease}: {parked.reason}", style="red")
    for outside in closing.outside:
        used = ", ".join(f"{code} {_amount(code, grown)}" for code, grown in sorted(outside.totals.items()) if grown)
        console.print(f"Used outside any booking, machine {outside.machine}: {used}", style="yellow")


def _amount(code: str, grown: int) -> str:
    return f"{quantity(in_billed_unit(code, grown), 2):,f} {billed_unit(code)}"
