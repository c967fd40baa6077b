"""`spindleshare einvoice`: check an invoice to the cent and write it as an electronic invoice, without a database."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from app.cli.json_file import WRONG_CALL, packaged, print_json, read_json
from app.cli.problem import PROBLEM

if TYPE_CHECKING:
    from billing.invoicing.einvoice.electronic_invoice import ElectronicInvoice
    from billing.invoicing.einvoice.formats import Group

_REFUSED = 1


class Wanted(StrEnum):
    """The formats, as the command takes them."""

    UBL = "ubl"
    CII = "cii"
    XRECHNUNG = "xrechnung"
    PEPPOL = "peppol"
    FACTUR_X = "factur-x"
    FAPIAO = "fapiao"


class Example(StrEnum):
    """The examples that can be printed."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit-note"
    FAPIAO = "fapiao"
    RED_FAPIAO = "red-fapiao"
    GOODS = "goods"


_NOTES = {
    Wanted.PEPPOL: "Peppol's rules are our own table by their ids; Peppol's validator was not run.",
    Wanted.XRECHNUNG: "XRechnung's and Peppol's rules are our own table by their ids; KoSIT's validator was not run.",
    Wanted.FACTUR_X: "The page is laid out as PDF/A-3b; no PDF/A validator was run.",
    Wanted.FAPIAO: "Fields for the tax platform; the e-invoice itself is issued there.",
}


def einvoice(
    invoice: Annotated[Path | None, typer.Argument(metavar="INVOICE.json", help="The invoice as a file.")] = None,
    *,
    wanted: Annotated[Wanted | None, typer.Option("--format", help="What to check and write.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write here (fapiao: .csv gives a table); else to stdout."),
    ] = None,
    goods: Annotated[
        Path | None, typer.Option(metavar="GOODS.json", help="Goods codes for fapiao, in place of the invoice's own.")
    ] = None,
    language: Annotated[str, typer.Option(help="Of the Factur-X page: en, de, fr, zh.")] = "en",
    as_json: Annotated[bool, typer.Option("--json", help="Print what was checked, and the document, as JSON.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of INVOICE.json and end.")] = False,
    example: Annotated[Example | None, typer.Option(help="Print an example file and end.")] = None,
) -> None:
    """Check INVOICE.json by EN 16931 and to the cent, and write it in a format.

    Try it: spindleshare einvoice --example invoice > i.json; spindleshare einvoice i.json --format xrechnung -o i.xml

    Exit codes: 0 written · 1 a rule is broken, nothing is written · 2 wrong command line · 3 the file cannot be read;
    every wrong field is named.
    """
    if schema or example:
        _print_file(example)
        return
    if invoice is None or wanted is None:
        _wrong_call("give an INVOICE.json and --format (see --help, --example invoice)")
    if wanted is Wanted.FACTUR_X and output is None and (as_json or sys.stdout.isatty()):
        _wrong_call("Factur-X is a PDF: give -o FILE.pdf")
    found = _read(invoice, goods)
    groups = _checked(found, wanted)
    written = None if any(group.errors for group in groups) else _written(found, wanted, output, language)
    _tell(groups, wanted, found.number, written, output, as_json=as_json)
    raise typer.Exit(_REFUSED if written is None else 0)


def _print_file(example: Example | None) -> None:
    folder, name = ("examples", example.value) if example else ("schemas", "einvoice")
    typer.echo(packaged("billing.invoicing.einvoice", folder, name), nl=False)


def _wrong_call(told: str) -> NoReturn:
    typer.echo(f"spindleshare einvoice: {told}", err=True)
    raise typer.Exit(WRONG_CALL)


def _read(path: Path, goods: Path | None) -> "ElectronicInvoice":
    from dataclasses import replace

    from billing.invoicing.einvoice.fapiao_file import goods_from_json
    from billing.invoicing.einvoice.invoice_file import invoice_from_json
    from billing.pricing.fields import InvalidInput

    values: list[Any] = []
    wrong: list[str] = []
    for file, parse in ((path, invoice_from_json), (goods, goods_from_json)):
        if file is None:
            continue
        try:
            values.append(parse(read_json(file)))
        except InvalidInput as error:
            wrong += [f"{file.name}: {problem}" for problem in error.problems]
    if wrong:
        for line in wrong:
            typer.echo(line, err=True)
        raise typer.Exit(PROBLEM)
    found: ElectronicInvoice = values[0]
    if goods and found.fapiao:
        return replace(found, fapiao=replace(found.fapiao, goods=values[1]))
    return found


def _checked(invoice: "ElectronicInvoice", wanted: Wanted) -> "list[Group]":
    from billing.invoicing.einvoice.formats import Format
    from billing.invoicing.einvoice.write_einvoice import check_for

    return check_for(invoice, Format(wanted.value))


def _written(invoice: "ElectronicInvoice", wanted: Wanted, output: Path | None, language: str) -> bytes:
    from billing.invoicing.einvoice.formats import Format
    from billing.invoicing.einvoice.write_einvoice import write_einvoice

    as_csv = output is not None and output.suffix.lower() == ".csv"
    content = write_einvoice(invoice, Format(wanted.value), language=language, as_csv=as_csv)
    if output:
        output.write_bytes(content)
    return content


def _tell(
    groups: "list[Group]", wanted: Wanted, number: str, content: bytes | None, output: Path | None, *, as_json: bool
) -> None:
    """The report to stdout; to stderr where stdout carries the document."""
    if as_json:
        print_json(_report(groups, wanted, number, content, output))
        return
    _show(groups, wanted, number, to_stderr=content is not None and output is None)
    if content is None:
        typer.echo("Nothing was written: correct the fields above.")
    elif output:
        typer.echo(f"Written: {output} ({len(content):,} bytes)")
    else:
        sys.stdout.buffer.write(content)


def _report(
    groups: "list[Group]", wanted: Wanted, number: str, content: bytes | None, output: Path | None
) -> dict[str, Any]:
    return {
        "invoice": number,
        "format": wanted.value,
        "passed": content is not None,
        "checked": [{"group": group.name, "rules": group.rules, "broken": len(group.errors)} for group in groups],
        "findings": [
            {
                "rule": finding.rule,
                "path": f"${finding.path}",
                "message": finding.message,
                "warning": finding.warning,
            }
            for group in groups
            for finding in group.findings
        ],
        "note": _NOTES.get(wanted, ""),
        "file": str(output) if output and content is not None else None,
        "document": content.decode() if content is not None and output is None else None,
    }


def _show(groups: "list[Group]", wanted: Wanted, number: str, *, to_stderr: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console, table = Console(stderr=to_stderr), Table(title=Text(f"{number} as {wanted.value}"))
    for heading, justify in (("Checked", "left"), ("Rules", "right"), ("Result", "left")):
        table.add_column(heading, justify="right" if justify == "right" else "left")
    for group in groups:
        warnings = len(group.findings) - len(group.errors)
        result = f"{len(group.errors)} wrong" if group.errors else "ok"
        table.add_row(group.name, str(group.rules), result + (f", {warnings} to look at" if warnings else ""))
    console.print(table)
    for finding in (found for group in groups for found in group.findings):
        console.print(Text(f"{'note ' if finding.warning else 'WRONG'} {finding}"), soft_wrap=True)
    if note := _NOTES.get(wanted):
        console.print(Text(note, style="dim"), soft_wrap=True)
