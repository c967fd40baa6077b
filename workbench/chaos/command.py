"""`spindleshare chaos`: seeded fault runs of agent, network and service, judged against the machine's own truth."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from workbench.chaos.plan import plan
from workbench.chaos.report import Summary, closing, faults, line
from workbench.chaos.run import Outcome, run_seed
from workbench.chaos.stage import staged

_NOT_HELD = 1
_KEPT = Path(".chaos")


def chaos(
    *,
    seeds: Annotated[int, typer.Option(min=1, max=100_000, help="How many seeds, one after the other.")] = 10,
    first: Annotated[int, typer.Option("--from", min=0, help="The first of them.")] = 1,
    seed: Annotated[int | None, typer.Option(min=0, help="This one alone.")] = None,
    show_plan: Annotated[bool, typer.Option("--plan", help="Print what each seed does, and do not run it.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help=f"Keep a failed seed's folder, in {_KEPT}/.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line: each seed, then the summary.")] = False,
) -> None:
    """Kill, cut, stall and fill disks by seed; then compare the database with what the machine did, to the unit.

    Needs a C compiler (gcc), for the library that injects faults at system calls. Linux only.

    Exit codes: 0 every seed passed · 1 one did not · 2 wrong command line · 3 could not run.
    """
    wanted = range(first, first + seeds) if seed is None else [seed]
    if show_plan:
        for one in wanted:
            typer.echo("\n".join(plan(one).lines()))
        return
    summary = Summary()
    with staged(_KEPT if keep else None) as stage:
        for one in wanted:
            outcome = run_seed(stage, plan(one), keep=keep)
            summary.add(outcome)
            typer.echo(json.dumps(_as_json(outcome)) if as_json else line(outcome))
            if outcome.folder is not None and not as_json:
                typer.echo(f"           kept in {outcome.folder}")
    typer.echo(json.dumps(summary.as_json()) if as_json else "\n".join(closing(summary)))
    raise typer.Exit(_NOT_HELD if summary.failed else 0)


def _as_json(outcome: Outcome) -> dict[str, object]:
    hits = [{"program": program, **asdict(hit)} for program, found in outcome.hits.items() for hit in found]
    return {
        "seed": outcome.plan.seed,
        "passed": outcome.passed,
        "seconds": round(outcome.seconds, 2),
        "plan": list(outcome.plan.lines()),
        "faults": dict(faults(outcome)),
        "calls": hits,
        "starts": outcome.starts,
        "verdict": asdict(outcome.verdict),
    }
