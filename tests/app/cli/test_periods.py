"""`spindleshare periods` as a user meets it: a process, options or a file, exit codes."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent.parent


def run(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from app.cli import main; main()", "periods", *arguments]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "COLUMNS": "120"}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=environment, timeout=60)


def test_options_and_a_file_say_the_same_and_options_come_first(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_text(run("--example", cwd=tmp_path).stdout, encoding="utf-8")
    by_file = run("p.json", "--json", cwd=tmp_path)
    stretch = ("--from", "2026-01-31", "--to", "2026-07-01", "--lease-from", "2026-02-10", "--lease-to", "2026-06-15")
    by_options = run(
        *stretch,
        "--anchor",
        "2026-01-31",
        "--zone",
        "Europe/Berlin",
        "--json",
        "--unit",
        "months",
        "--proration",
        "by-day",
        "--billed",
        "in arrears",
        cwd=tmp_path,
    )
    assert by_file.stdout == by_options.stdout
    assert len(json.loads(by_file.stdout)["periods"]) == 5
    shown = run("p.json", "--lease-to", "2026-03-01", "--billed", "in_advance", cwd=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "0.032258065" in shown.stdout
    assert "billed in advance" in shown.stdout


def test_what_is_wrong_is_said_by_exit_code_and_line(tmp_path: Path) -> None:
    assert run(cwd=tmp_path).returncode == 2
    (tmp_path / "p.json").write_text("[1]", encoding="utf-8")
    refused = run("p.json", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "p.json: $: write an object {...} here" in refused.stderr
