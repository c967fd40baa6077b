"""`spindleshare depreciate`, `price-list` and `finance-lease`: an asset's books and prices, without a database."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.json_file import WRONG_CALL, packaged, print_json, told_value
from app.cli.problem import PROBLEM

if TYPE_CHECKING:
    from billing.assets.finance_lease import FinanceLease
    from billing.assets.price_list import PriceList
    from billing.assets.schedule import Schedule
    from billing.money import Money

_ROOM = "billing.assets"
_AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
_Schema = Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of the file and end.")]
_Example = Annotated[bool, typer.Option("--example", help="Print an example of the file and end.")]
_Asset = Annotated[Path | None, typer.Argument(metavar="ASSET.json", help="The asset with its components.")]


def depreciate(
    asset: _Asset = None,
    *,
    months: Annotated[bool, typer.Option("--months", help="A row a month instead of a calendar year.")] = False,
    as_json: _AsJson = False,
    schema: _Schema = False,
    example: _Example = False,
) -> None:
    """The depreciation schedule of ASSET.json by component: by use, straight line, declining, sum of years.

    Try it: spindleshare depreciate --example > a.json; spindleshare depreciate a.json

    Exit codes: 0 done · 2 wrong command line · 3 the file cannot be taken; every wrong field is named.
    """
    from billing.assets.asset_json import asset_from_json
    from billing.assets.report import to_json
    from billing.assets.schedule import schedule as schedule_of

    path = _given(asset, "asset", schema=schema, example=example)
    found = schedule_of(told_value(path, asset_from_json).asset)
    if as_json:
        print_json(to_json(found, yearly=not months))
    else:
        _show_schedule(found, yearly=not months)


def price_list(
    asset: _Asset = None, *, as_json: _AsJson = False, schema: _Schema = False, example: _Example = False
) -> None:
    """The base fee and unit prices that recover ASSET.json on the terms of its `pricing`, with the working.

    Exit codes: 0 done · 2 wrong command line · 3 the file cannot be taken; every wrong field is named.
    """
    from billing.assets.asset_json import asset_from_json
    from billing.assets.price_list import price_list as prices_of

    path = _given(asset, "asset", schema=schema, example=example)
    read = told_value(path, asset_from_json)
    if read.pricing is None:
        typer.echo(
            f'{path.name}: $.pricing: is missing; write {{"interest_percent": "6", ...}} (see --example)', err=True
        )
        raise typer.Exit(PROBLEM)
    found = prices_of(read.asset, read.pricing)
    if as_json:
        print_json(found.to_json())
    else:
        _show_prices(found)


def finance_lease(
    lease: Annotated[Path | None, typer.Argument(metavar="LEASE.json", help="The terms.")] = None,
    *,
    as_json: _AsJson = False,
    schema: _Schema = False,
    example: _Example = False,
) -> None:
    """The equal payment of a finance lease, and its schedule of interest and principal.

    Exit codes: 0 done · 2 wrong command line · 3 the file cannot be taken; every wrong field is named.
    """
    from billing.assets.finance_lease import finance_lease_from_json

    path = _given(lease, "finance_lease", schema=schema, example=example)
    found = told_value(path, finance_lease_from_json)
    if as_json:
        print_json(found.to_json())
    else:
        _show_lease(found)


def _given(path: Path | None, name: str, *, schema: bool, example: bool) -> Path:
    """The file to read; printing a schema or an example ends the command instead."""
    if schema or example:
        typer.echo(packaged(_ROOM, "schemas" if schema else "examples", name), nl=False)
        raise typer.Exit
    if path is None:
        typer.echo("spindleshare: give a file (see --help, --example)", err=True)
        raise typer.Exit(WRONG_CALL)
    return path


def _show_schedule(found: "Schedule", *, yearly: bool) -> None:
    from billing.assets.report import rates, recoveries, rows, totals

    columns = ["Component", "Year" if yearly else "Month", "Opening", "Impairment", "Charge", "Closing", "Units"]
    told = rows(found, yearly=yearly)
    if not any(row.impairment for row in told):
        columns.remove("Impairment")
    table = _table(f"{found.asset.code}, {found.asset.currency}", columns, left=2)
    before = ""
    for row in told:
        amounts = {"Opening": row.opening, "Impairment": row.impairment, "Charge": row.charge, "Closing": row.closing}
        cells = [_amount(amount) for name, amount in amounts.items() if name in columns]
        used = "" if row.units is None else f"{row.units:,f}"
        table.add_row(row.component if row.component != before else "", row.period, *cells, used)
        before = row.component
    _print(table)
    for rate in rates(found):
        typer.echo(f"{rate['component']}: {rate['rate']} a unit from {rate['from']} on")
    for sale in found.sales:
        gained = "gain" if sale.gain.minor >= 0 else "loss"
        typer.echo(
            f"{sale.component or 'all'} disposed of in {sale.month}: {sale.proceeds} for {sale.carrying} "
            f"on the books, a {gained} of {_amount(sale.gain if sale.gain.minor >= 0 else -sale.gain)}"
        )
    for one in recoveries(found):
        typer.echo(
            f"{one.component}: recovered {one.recovered} by its price, booked {one.booked}, difference {one.difference}"
        )
    always = ("cost", "charged", "net_book_value")
    told_totals = [(name, amount) for name, amount in totals(found).items() if amount or name in always]
    typer.echo("  ".join(f"{name.replace('_', ' ')} {amount}" for name, amount in told_totals))


def _show_prices(found: "PriceList") -> None:
    table = _table(f"Suggested prices, {found.base_fee.currency}", ["What", "Unit", "Price", "Working"], left=2)
    table.add_row("base fee", "month", _amount(found.base_fee), "\n".join(found.working))
    for one in found.prices:
        table.add_row(one.component, one.unit, f"{one.price:,f}", one.working)
    _print(table)
    per_hour = f", {found.per_hour} an expected hour" if found.per_hour else ""
    typer.echo(f"A month as expected brings {found.expected_month}{per_hour}.")


def _show_lease(found: "FinanceLease") -> None:
    told = found.to_json()
    headings = ["Period", "Opening", "Payment", "Interest", "Principal", "Closing"]
    table = _table(f"Finance lease, {found.currency}, paid in {found.terms.timing}", headings, left=1)
    for row in told["rows"]:
        table.add_row(*(row[name.lower()] for name in headings))
    _print(table)
    typer.echo(f"Payment {told['payment']} (exactly {told['payment_exact']}), interest in all {told['interest']}")


def _table(title: str, headings: list[str], *, left: int) -> Any:
    from rich.table import Table

    table = Table(title=title)
    for place, heading in enumerate(headings):
        text = place < left or heading == "Working"
        table.add_column(heading, justify="left" if text else "right", no_wrap=not text)
    return table


def _print(table: Any) -> None:
    from rich.console import Console

    Console().print(table)


def _amount(amount: "Money") -> str:
    return f"{amount.decimal:,f}"
