"""`spindleshare bank`: bank statements without a database."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from billing.money import Money
    from billing.payments.statement import BankTransaction, Entry, Statement

group = typer.Typer(help="Read bank statements.", no_args_is_help=True)


@group.callback()
def _bank() -> None:
    """Read bank statements."""


@group.command()
def read(
    file: Annotated[Path, typer.Argument(help="A camt.053 file.", exists=True, dir_okay=False)],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show what a statement file says and whether it adds up. Status 1 where it does not, 3 where it is refused."""
    from billing.payments.camt053 import read_camt053

    statements = read_camt053(file.read_bytes())
    if as_json:
        typer.echo(json.dumps([_statement(each) for each in statements], indent=2, ensure_ascii=False))
    else:
        for each in statements:
            _show(each)
    if any(each.difference is None or each.difference for each in statements):
        raise typer.Exit(1)


def _statement(statement: "Statement") -> dict[str, Any]:
    difference = statement.difference
    return {
        "id": statement.id,
        "account": statement.account,
        "currency": statement.currency,
        "opening": _decimal(statement.opening),
        "closing": _decimal(statement.closing),
        "booked": str(statement.booked.decimal),
        "difference": _decimal(difference),
        "adds_up": difference is not None and not difference,
        "entries": [_entry(entry) for entry in statement.entries],
    }


def _decimal(amount: "Money | None") -> str | None:
    return None if amount is None else str(amount.decimal)


def _entry(entry: "Entry") -> dict[str, Any]:
    return {
        "amount": str(entry.amount.decimal),
        "booked": entry.booked,
        "booked_on": str(entry.booked_on) if entry.booked_on else None,
        "value_on": str(entry.value_on) if entry.value_on else None,
        "reference": entry.reference,
        "code": entry.code,
        "note": entry.note,
        "line": entry.line,
        "transactions": [
            {
                "amount": str(each.amount.decimal),
                "party": each.party,
                "party_account": each.party_account,
                "references": list(each.references),
                "remittance": list(each.remittance),
                "end_to_end_id": each.end_to_end_id,
                "returned": each.returned,
            }
            for each in entry.transactions
        ],
    }


def _show(statement: "Statement") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(title=f"Statement {statement.id} of account {statement.account}", title_justify="left")
    for heading in ("Booked", "Party", "Text"):
        table.add_column(heading)
    table.add_column("Amount", justify="right")
    for entry in statement.entries:
        day = str(entry.booked_on or "") if entry.booked else "not booked"
        if len(entry.transactions) > 1:
            table.add_row(day, "", f"batch of {len(entry.transactions)}", str(entry.amount))
            day = ""
        for each in entry.transactions:
            table.add_row(day, escape(each.party), escape(_words(each, entry.note)), str(each.amount))
    console.print(table)
    console.print(escape(_verdict(statement)), soft_wrap=True)


def _words(transaction: "BankTransaction", note: str) -> str:
    returned = f"returned: {transaction.returned}" if transaction.returned else ""
    return " ".join(
        filter(None, (*transaction.references, *transaction.remittance, returned, f"({note})" if note else ""))
    )


def _verdict(statement: "Statement") -> str:
    balances = f"opening {statement.opening} + booked {statement.booked} = closing {statement.closing}"
    if statement.difference is None:
        return f"{balances}: a balance is missing, so it cannot be checked"
    return f"{balances}: {'adds up' if not statement.difference else f'does not add up, {statement.difference} differ'}"
