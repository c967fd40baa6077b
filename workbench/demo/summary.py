"""What the demo prints at its end: both invoices, the meter's cross-check, use nobody booked, the books."""

from collections.abc import Iterable
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.pages.format import billed, sum_of
from billing.accounting.period_close import Balance
from billing.invoicing.invoice import Invoice
from billing.money import Money
from machine_agents.crosscheck import CAUSE_TEXTS, CrossCheck
from metering.usage import Usage
from workbench.demo.journey import Outcome
from workbench.demo.scenario import LOGINS, PASSWORD
from workbench.demo.stage import Stage


def show(outcome: Outcome, stage: Stage, console: Console) -> None:
    """Print the whole summary."""
    for invoice in outcome.invoices:
        console.print(invoice_table(invoice, outcome.paid[invoice.id]))
    console.print(cross_check_table(outcome.cross_check))
    for line in cause_lines(outcome.cross_check):
        console.print(line, style="dim")
    console.print(outside_line(outcome.outside))
    console.print(balance_table(outcome.balance))
    show_places(outcome, stage, console)


def invoice_table(invoice: Invoice, paid: Money) -> Table:
    """One invoice with every line's working."""
    state = "paid" if paid == invoice.total else f"{paid} paid"
    mark = "  [yellow]replayed recording[/]" if invoice.replayed else ""
    title = f"[bold]{invoice.number}[/]  {escape(invoice.buyer.name)}  [green]{state}[/]{mark}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_footer=True, expand=True)
    table.add_column("Line and working", ratio=1, footer=_totals_heading(invoice))
    table.add_column("Quantity", justify="right", no_wrap=True)
    table.add_column("Price", justify="right", no_wrap=True)
    table.add_column(f"Amount {invoice.currency}", justify="right", no_wrap=True, footer=_totals(invoice))
    for line in invoice.lines:
        quantity = "" if line.quantity is None else f"{line.quantity:,f} {line.unit}"
        price = "" if line.price is None else f"{line.price:,f}"
        working = "".join(f"\n[dim]{escape(step)}[/]" for step in line.working)
        table.add_row(f"{escape(line.description)}{working}", quantity, price, f"{line.amount.decimal:,f}")
    return table


def _totals_heading(invoice: Invoice) -> str:
    vat = [f"VAT {(part.rate * 100).normalize():f} % on {part.net.decimal:,f}" for part in invoice.vat]
    return "\n".join(["Net", *vat, "Total"])


def _totals(invoice: Invoice) -> str:
    amounts = [invoice.net, *(part.tax for part in invoice.vat), invoice.total]
    return "\n".join(f"{amount.decimal:,f}" for amount in amounts)


def cross_check_table(check: CrossCheck) -> Table:
    """The agent's integrals against the control's own counters, and where the difference comes from, in hours."""
    causes = _causes(check)
    table = Table(title="[bold]Meter cross-check[/], hours", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("Control's counter / our register")
    for heading in ("Control", "Agent", "Difference", *causes):
        table.add_column(heading.replace("_", " "), justify="right")
    for row in check.comparisons:
        figures = (row.counter_ms, row.own_ms, row.difference, *(row.causes.get(cause) for cause in causes))
        shown = ("–" if figure is None else billed("power_on", figure, 3) for figure in figures)
        table.add_row(f"{row.counter} / {row.register}", *shown)
    return table


def cause_lines(check: CrossCheck) -> Iterable[str]:
    """What each cause that occurred means."""
    for cause in _causes(check):
        yield f"  {cause.replace('_', ' ')}: {CAUSE_TEXTS[cause]}"
    spindle, unknown = billed("spindle_on", check.spindle_on_ms), billed("unknown", check.unknown_ms)
    yield f"  spindle turning {spindle} h (no counter to compare with); not proven alive {unknown} h, billed to nobody"


def _causes(check: CrossCheck) -> list[str]:
    """The causes that account for anything."""
    return [cause for cause in CAUSE_TEXTS if any(row.causes.get(cause) for row in check.comparisons)]


def outside_line(outside: tuple[Usage, ...]) -> str:
    """Use that no booking answers for."""
    if not outside:
        return "\nNo use outside a booking."
    spindle = billed("spindle_on", sum(row.deltas.get("spindle_on", 0) for row in outside))
    travel = billed("travel.X", sum(sum_of(row.deltas, "travel") for row in outside), 3)
    return (
        f"\nUse outside any booking: {len(outside)} quarter hours, {spindle} spindle hours, {travel} km. "
        "It is on nobody's invoice; the maker's page lists it."
    )


def balance_table(balances: tuple[Balance, ...]) -> Table:
    """The ledger's trial balance: debits equal credits."""
    debit = sum((row.amount.decimal for row in balances if row.amount.minor > 0), Decimal(0))
    credit = -sum((row.amount.decimal for row in balances if row.amount.minor < 0), Decimal(0))
    word = "balanced" if debit == credit else "[red]NOT BALANCED[/]"
    table = Table(title=f"[bold]Ledger[/], {word}", title_justify="left", box=SIMPLE_HEAD, show_footer=True)
    table.add_column("Account", footer="Sum")
    table.add_column("Debit", justify="right", footer=f"{debit:,f}")
    table.add_column("Credit", justify="right", footer=f"{credit:,f}")
    for row in balances:
        amount = f"{abs(row.amount.decimal):,f}"
        table.add_row(row.account, amount if row.amount.minor > 0 else "", amount if row.amount.minor < 0 else "")
    return table


def show_places(outcome: Outcome, stage: Stage, console: Console) -> None:
    """Where everything is, and how to sign in."""
    console.print("[bold]Documents[/]")
    for file in outcome.files:
        console.print(f"  {file}", soft_wrap=True)
    bundle = next(file for file in outcome.files if file.name.endswith("-evidence.zip"))
    keys = next(file for file in outcome.files if file.name == "keys.json")
    console.print(f"  recompute one offline:  .venv/bin/spindleshare verify {bundle} --keys {keys}", soft_wrap=True)
    console.print(f"[bold]Web[/]  {stage.base}   password for everybody: {PASSWORD}")
    for login in LOGINS:
        console.print(f"  {login.role.value:8} {login.email:36} {login.name}, {login.organisation.name}")
    console.print(f"[dim]Folder {stage.plan.folder}, logs in {stage.processes.folder}[/]", soft_wrap=True)
