"""`spindleshare chaos`, the real programs: a few seeds run and pass, and it says what they did."""

import json
import shutil
import subprocess
import sys

import pytest

from tests.peers import needs_compiler
from workbench.chaos.plan import plan

# One that kills the machine's server and sets the clock, one of full disks and doubled requests, one of stalls.
SEEDS = 3


def chaos(*arguments: str, path: str | None = None) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "app.cli", "chaos", *arguments]
    environment = None if path is None else {"PATH": path}
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, env=environment)


@pytest.mark.slow
@needs_compiler
def test_seeds_pass_and_the_summary_counts_what_they_hit() -> None:
    done = chaos("--seeds", str(SEEDS), "--from", "2", "--json")
    *seeds, summary = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, [one["verdict"]["faults"] for one in seeds]) == (0, [[]] * SEEDS), done.stderr
    assert [one["seed"] for one in seeds] == [2, 3, 4]
    assert all(one["plan"] == list(plan(one["seed"]).lines()) for one in seeds)
    assert all(one["verdict"]["readings"] >= 21 for one in seeds)
    assert all(one["verdict"]["unknown_ms"] < one["verdict"]["span_ms"] for one in seeds)
    kills = [call for one in seeds for call in one["calls"] if call["action"] == "kill"]
    assert summary["passed"] == SEEDS
    assert sum(summary["points"].values()) == len(kills) >= SEEDS
    assert len(summary["points"]) > 1


def test_a_plan_is_told_without_running_it() -> None:
    done = chaos("--seeds", "2", "--from", "7", "--plan")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [*plan(7).lines(), *plan(8).lines()]


@pytest.mark.skipif(sys.platform != "linux", reason="the faults at system calls are Linux's")
def test_without_a_compiler_it_says_what_to_install(tmp_path: object) -> None:
    done = chaos("--seed", "1", path=str(tmp_path))
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("spindleshare: ")
    assert "install gcc" in done.stderr
    assert shutil.which("gcc", path=str(tmp_path)) is None
