import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import httpx
import pytest

from app.cli import COMMANDS
from app.cli.problem import FAULT, PROBLEM, explain
from app.database import PartyMissing
from app.postgres import Cluster

_SPINDLESHARE = Path(sys.executable).with_name("spindleshare")


def run(*arguments: str, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPINDLESHARE_")}
    environment |= {"SPINDLESHARE_DATA_FOLDER": str(folder), **settings}
    return subprocess.run(
        [_SPINDLESHARE, *arguments], capture_output=True, text=True, env=environment, check=False, timeout=120
    )


def test_help_names_every_command_and_loads_none() -> None:
    code = """
        import sys
        from app.cli import main
        try:
            main(["--help"])
        except SystemExit as end:
            assert end.code == 0
        heavy = {"litestar", "sqlalchemy", "psycopg", "pydantic", "httpx", "asyncua"} & set(sys.modules)
        assert not heavy, heavy
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(f" {name} " in done.stdout for name in COMMANDS)


def test_commands_without_a_database_do_not_load_one() -> None:
    code = """
        import sys
        from app.cli import main
        try:
            main([sys.argv[1], "--help"])
        except SystemExit as end:
            assert end.code == 0, end.code
        heavy = {"litestar", "sqlalchemy", "psycopg", "uvicorn", "asyncua"} & set(sys.modules)
        assert not heavy, heavy
    """
    files = ("rate", "einvoice", "periods", "journal", "verify", "bank")
    for name in (*files, "migrate", "serve", "doctor", "enrol", "version"):
        command = [sys.executable, "-c", textwrap.dedent(code), name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (name, done.stderr)


def test_migrate_up_status_and_down(tmp_path: Path) -> None:
    assert run("migrate", "status", "--json", folder=tmp_path).returncode == 1
    first = run("migrate", "up", folder=tmp_path)
    assert (first.returncode, first.stderr) == (0, "")
    assert "from nothing to" in first.stdout
    assert "nothing to do" in run("migrate", "up", folder=tmp_path).stdout
    status = run("migrate", "status", "--json", folder=tmp_path)
    assert status.returncode == 0
    found = json.loads(status.stdout)
    assert found["current"] == found["head"]
    doctor = run("doctor", "--json", folder=tmp_path, SPINDLESHARE_PORT="0")
    states = {check["name"]: check["state"] for check in json.loads(doctor.stdout)}
    assert (states["database"], states["migrations"], states["roles"]) == ("ok", "ok", "ok")
    assert doctor.returncode == 0
    down = run("migrate", "down", "base", "--yes", "--json", folder=tmp_path)
    assert json.loads(down.stdout) == {"before": found["head"], "after": None}


def test_a_wrong_setting_is_one_line_that_names_it(tmp_path: Path) -> None:
    done = run("doctor", folder=tmp_path, SPINDLESHARE_ZONE="Mars")
    assert done.returncode == PROBLEM
    assert done.stderr == "spindleshare: SPINDLESHARE_ZONE: give an IANA zone such as Europe/Berlin\n"


def test_a_port_in_use_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        served = run("serve", "--port", port, folder=tmp_path)
        database = run("migrate", "up", folder=tmp_path, SPINDLESHARE_DATABASE_PORT=port)
        doctor = run("doctor", "--json", folder=tmp_path, SPINDLESHARE_PORT=port)
    assert (served.returncode, database.returncode, doctor.returncode) == (PROBLEM, PROBLEM, 1)
    assert f"port {port} is in use" in served.stderr
    assert "SPINDLESHARE_DATABASE_PORT" in database.stderr
    assert served.stderr.count("\n") == database.stderr.count("\n") == 1


def test_an_unreachable_database_is_one_line(tmp_path: Path) -> None:
    nowhere = {
        "SPINDLESHARE_MIGRATE_URL": "postgresql://a:b@127.0.0.1:1/none",
        "SPINDLESHARE_RUN_URL": "postgresql://c:d@127.0.0.1:1/none",
    }
    done = run("migrate", "up", folder=tmp_path, **nowhere)
    assert (done.returncode, done.stderr.count("\n")) == (PROBLEM, 1)
    assert "cannot use the database" in done.stderr


def test_errors_of_the_caller_are_told_from_faults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert explain(PartyMissing()) == (
        "A transaction of the app role needs a party: pass party=organisation_id.",
        PROBLEM,
    )
    assert explain(FileNotFoundError(2, "No such file or directory", "a.json")) == (
        "a.json: No such file or directory",
        PROBLEM,
    )
    assert "no space left" in explain(OSError(28, "No space left on device"))[0]
    line, code = explain(KeyError("surprise"))
    assert (code, line.startswith("a fault of ours: KeyError")) == (FAULT, True)
    assert "KeyError" in next(tmp_path.glob("spindleshare-fault-*")).read_text()


def test_enrol_makes_another_code_each_time_for_the_same_meter(tmp_path: Path) -> None:
    machine = ("enrol", "M-1", "--owner", "maker", "--machine", "Mill 1", "--model", "Maker MT 5", "--json")
    assert run("migrate", "up", folder=tmp_path).returncode == 0
    unknown = run(*machine, folder=tmp_path)
    assert (unknown.returncode, unknown.stderr.count("\n")) == (PROBLEM, 1)
    first = run(*machine, "--owner-name", "Maker GmbH", folder=tmp_path)
    assert first.returncode == 0, first.stderr
    second = run(*machine, folder=tmp_path)
    one, other = json.loads(first.stdout), json.loads(second.stdout)
    assert one["meter_id"] == other["meter_id"]
    assert one["code"] != other["code"]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_serve_runs_on_its_own_database_and_ends_in_order(tmp_path: Path, end: signal.Signals) -> None:
    environment = {**os.environ, "SPINDLESHARE_DATA_FOLDER": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    unready = run("serve", "--port", "0", folder=tmp_path)
    assert (unready.returncode, "spindleshare migrate up" in unready.stderr) == (PROBLEM, True)
    command = [_SPINDLESHARE, "serve", "--port", "0", "--migrate"]
    service = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert service.stdout is not None
        address = re.search(r"http://[\d.:]+", service.stdout.readline())
        assert address is not None
        assert httpx.get(f"{address.group()}/api/health", timeout=10).json() == {"status": "ok"}
    finally:
        service.send_signal(end)
        _, said = service.communicate(timeout=30)
    assert (service.returncode, "Traceback" in said) == (0, False)
    assert not Cluster(tmp_path / "postgres").is_running()
