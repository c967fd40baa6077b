"""`spindleshare rate`: price a usage file by a tariff file, without a database. The code that bills is what runs."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.json_file import WRONG_CALL, print_json, read_value
from app.cli.problem import PROBLEM

if TYPE_CHECKING:
    from billing.pricing.rated import RatedBill


class Kind(StrEnum):
    """The files that `rate` reads."""

    TARIFF = "tariff"
    USAGE = "usage"


def rate(
    tariff: Annotated[Path | None, typer.Argument(metavar="TARIFF.json", help="The prices.")] = None,
    usage: Annotated[Path | None, typer.Argument(metavar="USAGE.json", help="What was used.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the bill as JSON.")] = False,
    schema: Annotated[Kind | None, typer.Option(help="Print the JSON Schema of a file and end.")] = None,
    example: Annotated[Kind | None, typer.Option(help="Print an example of a file and end.")] = None,
) -> None:
    """Price USAGE.json by TARIFF.json: every line with its working, VAT and the total.

    Try it: spindleshare rate --example tariff > t.json; spindleshare rate --example usage > u.json;
    spindleshare rate t.json u.json

    Exit codes: 0 priced · 2 wrong command line · 3 a file cannot be priced; every wrong field is named.
    """
    from billing.pricing.schema import example_text, schema_text

    if schema or example:
        typer.echo(schema_text(schema) if schema else example_text(str(example)), nl=False)
        return
    if tariff is None or usage is None:
        typer.echo("spindleshare rate: give a TARIFF.json and a USAGE.json (see --help, --example)", err=True)
        raise typer.Exit(WRONG_CALL)
    bill = _bill(tariff, usage)
    if as_json:
        print_json(bill.to_json())
    else:
        _show(bill)


def _bill(tariff: Path, usage: Path) -> "RatedBill":
    from billing.pricing.fields import InvalidInput
    from billing.pricing.measured_json import measured_from_json
    from billing.pricing.rating import rate as price
    from billing.pricing.tariff import TariffVersion

    wrong: list[str] = []
    values: list[Any] = []
    for path, parse in ((tariff, TariffVersion.from_json), (usage, measured_from_json)):
        try:
            values.append(read_value(path, parse))
        except InvalidInput as error:
            wrong += [f"{path.name}: {problem}" for problem in error.problems]
    try:
        if not wrong:
            return price(*values)
    except InvalidInput as error:
        wrong = [f"{usage.name}: {problem}" for problem in error.problems]
    for line in wrong:
        typer.echo(line, err=True)
    raise typer.Exit(PROBLEM)


def _show(bill: "RatedBill") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console, table = Console(), Table(title=f"{bill.tariff} version {bill.version}")
    for heading in ("Line", "What"):
        table.add_column(heading, overflow="fold")
    for heading in ("Quantity", "", "Price", bill.currency, "VAT %"):
        table.add_column(heading, justify="left" if heading == "" else "right", no_wrap=True)
    for line in bill.lines:
        used = "" if line.quantity is None else f"{line.quantity:,f}"
        price = "" if line.price is None else f"{line.price:,f}"
        amount, percent = f"{line.amount.decimal:,f}", f"{line.vat_rate * 100:f}"
        table.add_row(line.code, line.description, used, line.unit, price, amount, percent)
    console.print(table)
    for name, amount in _sums(bill):
        console.print(Text(f"{name:<40} {amount:>18}"))
    console.print(Text("\nWorking", style="bold"))
    for line in bill.lines:
        console.print(Text.assemble((line.code, "bold"), *(f"\n  {told}" for told in line.working)))
    for note in bill.notes:
        console.print(Text(f"Note: {note}"))


def _sums(bill: "RatedBill") -> list[tuple[str, str]]:
    rows = [("Net", str(bill.net))]
    rows += [(f"VAT {part.rate * 100:f} % ({part.category}) on {part.net}", str(part.vat)) for part in bill.vat]
    return [*rows, (f"Total, rounded by {bill.rounding.value}", str(bill.total))]
