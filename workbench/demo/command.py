"""`spindleshare demo`: one machine's month, from the spindle to the paid and reconciled invoice."""

import shutil
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from app.postgres import Cluster
from workbench.demo.journey import bill_month, meter_month
from workbench.demo.processes import DemoFailed, Processes, alone, port_gets_free
from workbench.demo.stage import Plan, Stage, clear, staged
from workbench.demo.summary import show

FOLDER = Path(".spindleshare/demo")
DEFAULT_PORT = 8000
_WATCH_SECONDS = 1.0


def demo(
    recording: Annotated[
        Path | None, typer.Option(help="A recorded month to play; without it our own model of a mill-turn machine.")
    ] = None,
    day: Annotated[str | None, typer.Option(help="Only this UTC day of the recording, such as 2018-05-29.")] = None,
    days: Annotated[int, typer.Option(min=1, max=62, help="Length of our own recording, which ends now.")] = 30,
    seed: Annotated[int, typer.Option(help="Seed of our own recording.")] = 7,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the web pages.")] = DEFAULT_PORT,
    once: Annotated[bool, typer.Option("--once", help="End after the summary instead of staying up.")] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Only clear what earlier demos left, then end.")] = False,
    remove: Annotated[
        bool, typer.Option("--remove", help="Only remove the demo's folder and database, then end.")
    ] = False,
) -> None:
    """Take one machine's month from the spindle to the paid invoice: OPC UA, agent, service, ledger, card and bank.

    Every demo starts from an empty database in .spindleshare/demo. Exit code 0 when everything worked, 3 with one line
    that says what did not.
    """
    console = Console()
    if recording is not None and not recording.is_file():
        raise DemoFailed(f"there is no recording {recording}; give the path of a file, or none for our own")
    folder = FOLDER.absolute()
    with alone(folder):
        Processes(folder / "logs").end_leftovers()
        if not (reset or remove):
            plan = Plan(folder, port, datetime.now(UTC), recording and recording.absolute(), day, days, seed, not once)
            _play(plan, console, once=once)
            return
        _clean(folder, remove=remove)
    if remove:
        shutil.rmtree(folder, ignore_errors=True)
    console.print(f"{'Removed' if remove else 'Cleared'} {folder}", soft_wrap=True)


def _play(plan: Plan, console: Console, *, once: bool) -> None:
    if not port_gets_free(plan.port):
        raise DemoFailed(
            f"port {plan.port} is in use: end the program that has it, or choose another: make demo PORT=8001"
        )
    signal.signal(signal.SIGTERM, _stop)
    try:
        _run(plan, console, once=once)
    except KeyboardInterrupt:
        console.print("\nStopped. The next demo starts from an empty database again.")


def _run(plan: Plan, console: Console, *, once: bool) -> None:
    began = time.monotonic()
    with _progress(console) as progress:
        task = progress.add_task("starting database, card sandbox, service and simulator", total=1.0)
        with staged(plan) as stage:
            meter_month(stage, lambda done, line: progress.update(task, completed=done, description=line))
            progress.update(task, completed=1.0, description="billing the month")
            outcome = bill_month(stage)
            progress.update(task, description=f"done: {outcome.readings} readings verified")
            progress.stop()
            show(outcome, stage, console)
            console.print(f"[dim]{time.monotonic() - began:.0f} s[/]")
            if not once:
                _stay(stage, console)


def _stay(stage: Stage, console: Console) -> None:
    console.print("\nThe machine goes on live. Ctrl-C ends the demo.")
    while True:
        stage.processes.check()
        time.sleep(_WATCH_SECONDS)


def _progress(console: Console) -> Progress:
    columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
    return Progress(*columns, TextColumn("{task.description}"), console=console)


def _clean(folder: Path, *, remove: bool) -> None:
    if not remove:
        clear(folder)
    elif (folder / "postgres").exists():
        Cluster(folder / "postgres").remove()


def _stop(signum: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
