"""`spindleshare periods`: billing periods with their parts and the days they are billed on, without a database."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.json_file import WRONG_CALL, packaged, print_json, read_json
from app.cli.problem import PROBLEM

if TYPE_CHECKING:
    from billing.invoicing.billing_periods import BillingPeriod, BillingPlan


_ROOM = "billing.invoicing"


def periods(
    file: Annotated[Path | None, typer.Argument(metavar="PERIODS.json", help="What is asked for, as a file.")] = None,
    *,
    start: Annotated[str | None, typer.Option("--from", help="First day, or a moment.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="The day after the last one, or a moment.")] = None,
    unit: Annotated[
        str | None, typer.Option(help="day, week, 30_days, month (unless given), quarter, half_year, year.")
    ] = None,
    count: Annotated[int | None, typer.Option("--count", "--every", help="So many units a period; 1.")] = None,
    anchor: Annotated[str | None, typer.Option(help="calendar (unless given), anniversary (the start), a day.")] = None,
    zone: Annotated[str | None, typer.Option(help="Whose clock, such as Europe/Berlin; UTC unless given.")] = None,
    lease_from: Annotated[str | None, typer.Option(help="The lease's start; --from unless given.")] = None,
    lease_to: Annotated[str | None, typer.Option(help="The lease's end; --to unless given.")] = None,
    proration: Annotated[
        str | None, typer.Option(help="none, by_day (unless given), by_second, fixed_30_days.")
    ] = None,
    billed: Annotated[str | None, typer.Option(help="in_arrears (unless given), in_advance.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the periods as JSON.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema (file, answer) and end.")] = False,
    example: Annotated[bool, typer.Option("--example", help="Print an example of a file and end.")] = False,
) -> None:
    """Billing periods: half-open, exact through changes of the clock, with the part of each that a lease runs.

    Try it: spindleshare periods --from 2026-01-31 --to 2026-07-01 --anchor anniversary --zone Europe/Berlin; or
    spindleshare periods --example > p.json; spindleshare periods p.json. Options replace what the file says.

    Exit codes: 0 printed · 2 wrong command line · 3 cannot be answered; every wrong field is named.
    """
    if schema or example:
        typer.echo(packaged(_ROOM, "schemas" if schema else "examples", "periods"), nl=False)
        return
    told = {"from": start, "to": end, "count": count, "anchor": anchor, "zone": zone}
    told |= {"unit": _unit(unit), "proration": _word(proration), "billed": _word(billed)}
    lease = {"from": lease_from, "to": lease_to}
    if file is None and (start is None or end is None):
        typer.echo("spindleshare periods: give --from and --to, or a PERIODS.json (see --help, --example)", err=True)
        raise typer.Exit(WRONG_CALL)
    _answer(file, _given(told), _given(lease), as_json=as_json)


def _word(option: str | None) -> str | None:
    """`in advance` and `in-advance` are in_advance: a shell makes people avoid spaces, files name it one way."""
    return option and "_".join(option.lower().replace("-", " ").split())


def _unit(option: str | None) -> str | None:
    """The same, and `months` is month."""
    word = _word(option)
    return word if not word or word == "30_days" else word.removesuffix("s")


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _answer(file: Path | None, told: dict[str, Any], lease: dict[str, Any], *, as_json: bool) -> None:
    from billing.invoicing.billing_periods import billing_periods
    from billing.invoicing.periods_json import plan_from_json, to_json
    from billing.pricing.fields import InvalidInput

    try:
        plan = plan_from_json(_asked(file, told, lease))
    except InvalidInput as error:
        for problem in error.problems:
            typer.echo(f"{file.name if file else 'spindleshare periods'}: {problem}", err=True)
        raise typer.Exit(PROBLEM) from None
    found = billing_periods(plan)
    if as_json:
        print_json(to_json(plan, found))
    else:
        _show(plan, found)


def _asked(file: Path | None, told: dict[str, Any], lease: dict[str, Any]) -> object:
    from billing.invoicing.periods_json import FORMAT

    asked = read_json(file) if file else {"format": FORMAT}
    if not isinstance(asked, dict):
        return asked
    if lease:
        # An open-ended lease is written in the file; by options the stretch is the lease where they say nothing else.
        ends = {} if file else {"to": told["to"]}
        known = asked.get("lease")
        told = told | {"lease": {**ends, **(known if isinstance(known, dict) else {}), **lease}}
    return {**asked, **told}


def _show(plan: "BillingPlan", found: list["BillingPeriod"]) -> None:
    from rich.console import Console
    from rich.table import Table

    from billing.invoicing.periods_json import to_json

    cycle = plan.cycle
    every = cycle.unit.value if cycle.count == 1 else f"{cycle.count} x {cycle.unit}"
    when = plan.billed.value.replace("_", " ")
    table = Table(title=f"Every {every}, {cycle.zone.key}, proration {plan.proration}, billed {when}")
    for heading in ("No.", "From", "To, not included", "Part", "exactly", "Billed on"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "No." else "left")
    for each in to_json(plan, found)["periods"]:
        days = (each[name][:16].replace("T", " ") for name in ("from_local", "to_local"))
        part = ("whole", "") if each["is_whole"] else (each["part_decimal"], each["part"])
        table.add_row(str(each["number"]), *days, *part, each["billed_on"])
    Console().print(table if found else "The lease does not run in this stretch.")
