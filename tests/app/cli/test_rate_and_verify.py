"""The offline doors as a user meets them: processes, files, exit codes; no web and no database behind them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from billing.pricing.schema import example_text

ROOT = Path(__file__).parent.parent.parent.parent


def run(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from app.cli import main; main()", *arguments]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "COLUMNS": "120"}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=environment, timeout=60)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name in ("tariff", "usage"):
        (tmp_path / f"{name}.json").write_text(example_text(name), encoding="utf-8")
    return tmp_path


def test_it_prices_and_shows_lines_and_working(files: Path) -> None:
    done = run("rate", "tariff.json", "usage.json", cwd=files)
    assert (done.returncode, done.stderr) == (0, "")
    assert "16,151.39 CNY" in done.stdout
    assert "247.2134 × 9.50 = 2348.5273" in done.stdout


def test_json_is_json(files: Path) -> None:
    done = run("rate", "tariff.json", "usage.json", "--json", cwd=files)
    assert json.loads(done.stdout)["total"] == "16151.39"


@pytest.mark.parametrize("kind", ["tariff", "usage"])
def test_what_it_prints_as_schema_and_example_is_json(kind: str, files: Path) -> None:
    for option in ("--schema", "--example"):
        assert json.loads(run("rate", option, kind, cwd=files).stdout)


def test_every_wrong_field_of_both_files_is_named(files: Path) -> None:
    for name, old, new in (("tariff", '"18.00"', "18.0"), ("usage", "Asia/Shanghai", "Mars/Olympus")):
        path = files / f"{name}.json"
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    done = run("rate", "tariff.json", "usage.json", cwd=files)
    assert done.returncode == 3
    assert done.stdout == ""
    assert "tariff.json: $.elements[0].components[0].price.tiers[0].unit: write the number in quotes" in done.stderr
    assert "usage.json: $.zone: 'Mars/Olympus' is no time zone" in done.stderr


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "is not JSON"),
        ('{"a": 1, "a": 2}', "twice in one object"),
        ("[" * 100_000, "is not JSON"),
        ("\0", "not JSON"),
    ],
)
def test_a_file_that_is_not_json_is_one_line(content: str, told: str, files: Path) -> None:
    (files / "tariff.json").write_text(content, encoding="utf-8")
    done = run("rate", "tariff.json", "usage.json", cwd=files)
    assert done.returncode == 3
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_file_or_argument_is_one_line(files: Path) -> None:
    assert run("rate", "tariff.json", cwd=files).returncode == 2
    gone = run("rate", "tariff.json", "gone.json", cwd=files)
    assert gone.returncode == 3
    assert "gone.json" in gone.stderr
    assert run("verify", "gone.zip", cwd=files).returncode == 2
    assert run("verify", "gone.zip", "--agent-key", "gone.pem", cwd=files).returncode == 3


@pytest.mark.parametrize("module", ["app.cli.rate", "app.cli.verify", "billing.invoicing.evidence_check"])
def test_neither_the_web_nor_the_database_is_loaded(module: str, files: Path) -> None:
    program = (
        f"import sys, {module}, billing.pricing.rating, billing.pricing.measured_json;"
        "heavy = {'litestar', 'sqlalchemy', 'sqlmodel', 'psycopg', 'uvicorn', 'stripe', 'typst'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
