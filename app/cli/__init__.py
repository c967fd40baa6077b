"""The operators' command `spindleshare`.

A command's module is imported only when that command is asked for: `rate` must not load the web, nor `--help` anything.
To add a command, add a line to `COMMANDS`; its target is a function (a command) or a typer.Typer (a group).
"""

import importlib
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any, NoReturn

import typer

from app.cli.problem import PROBLEM, explain


@dataclass(frozen=True, slots=True)
class Command:
    """Where a command is, as "module:name", and its line in the list of commands."""

    target: str
    help: str

    def load(self) -> Callable[..., Any] | typer.Typer:
        module, _, name = self.target.partition(":")
        found: Callable[..., Any] | typer.Typer = getattr(importlib.import_module(module), name)
        return found


# Three lines name the workbench, which is above this room: a name, not an import, so that app runs without it.
COMMANDS = {
    "demo": Command(
        "workbench.demo.command:demo", "Take one machine's month from the spindle to the paid invoice, with real parts."
    ),
    "serve": Command("app.cli.serve:serve", "Run the web service."),
    "migrate": Command("app.cli.migrate:group", "Bring the database up to this version, or down."),
    "enrol": Command("app.cli.enrol:enrol", "Make a one-time code that a new machine agent enrols with."),
    "agents": Command("app.cli.agents:group", "The machine agents: which there are, how they stand, revoke one."),
    "refusals": Command("app.cli.refusals:group", "Records that were not taken and why; accept the gap they leave."),
    "replace": Command("app.cli.replace:group", "Another meter on a machine, or another machine for a lease."),
    "rate": Command("app.cli.rate:rate", "Price a usage file by a tariff file, with lines and working."),
    "periods": Command("app.cli.periods:periods", "Billing periods by anchor, unit and zone, with their parts."),
    "depreciate": Command("app.cli.depreciate:depreciate", "An asset's depreciation by component, from a file."),
    "price-list": Command("app.cli.depreciate:price_list", "The prices that an asset's figures suggest, from a file."),
    "finance-lease": Command("app.cli.depreciate:finance_lease", "A finance lease's payments, from a file."),
    "close": Command("app.cli.close:close", "Draft the invoices of a period."),
    "journal": Command("app.cli.journal:group", "Export an owner's books, for other accounting programs."),
    "report": Command("app.cli.report:group", "VAT by category and rate; receivables by how long they are due."),
    "completeness": Command(
        "app.cli.completeness:completeness", "Whether a month's registers are explained to the unit, and what is not."
    ),
    "usage": Command("app.cli.usage:usage", "A meter's usage with its marks, as known today or on a past day."),
    "days": Command("app.cli.days:days", "Usage by local day, of a meter or of the whole fleet."),
    "components": Command("app.cli.components:group", "What of a machine wears, by which parameters, since when."),
    "wear": Command("app.cli.wear:wear", "How worn a machine's components are, who wore them, and what may be left."),
    "sessions": Command("app.cli.sessions:sessions", "A meter's sessions: signed, or cut by the service."),
    "einvoice": Command(
        "app.cli.einvoice:einvoice",
        "Check an invoice to the cent and write it as an e-invoice (UBL, CII, 数电票).",
    ),
    "bank": Command("app.cli.bank:group", "Read bank statements."),
    "verify": Command("app.cli.verify:verify", "Check an invoice's evidence offline, recomputing every cent."),
    "ocmf": Command("app.cli.ocmf:ocmf", "Read and check signed meter records (OCMF) of any make."),
    "rollup": Command("app.cli.rollup:rollup", "Compute usage anew from raw telemetry, beside the stored one."),
    "telemetry": Command("app.cli.telemetry:group", "List or copy raw telemetry."),
    "doctor": Command("app.cli.doctor:doctor", "Say what is wrong with this installation, and what to do."),
    "bench": Command("workbench.bench.command:bench", "Measure, as a ratio to a limit or a peer of the same run."),
    "chaos": Command(
        "workbench.chaos.command:chaos", "Seeded fault runs of agent, network and service, judged to the unit."
    ),
    "version": Command("app.cli.version:version", "Show the version."),
}
_ABOUT = "SpindleShare: machine tools by the signed spindle hour, from the spindle to the reconciled invoice."
_EXIT_CODES = (
    "Exit codes: 0 done · 1 done, and the answer is no (a check failed) · 2 wrong command line · "
    "3 not done, one line on stderr says why and what to do · 70 a fault of ours."
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: no traceback reaches the user."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Ended from outside, a command still leaves in order: the embedded database is not left running.
    signal.signal(signal.SIGTERM, _leave)
    try:
        application(given)(given, prog_name="spindleshare")
    except Exception as error:
        line, code = explain(error)
        typer.echo(f"spindleshare: {line}", err=True)
        raise SystemExit(code) from None


def application(arguments: Sequence[str]) -> typer.Typer:
    """All commands; only the one that `arguments` ask for is loaded, the others are known by their help line."""
    wanted = next((argument for argument in arguments if not argument.startswith("-")), None)
    app = typer.Typer(
        help=_ABOUT,
        epilog=_EXIT_CODES,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name, command in COMMANDS.items():
        target = command.load() if name == wanted else _named_only
        if isinstance(target, typer.Typer):
            app.add_typer(target, name=name, help=command.help)
        else:
            app.command(name, help=None if name == wanted else command.help)(target)
    return app


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _named_only() -> None:
    raise typer.Exit(PROBLEM)
