"""Scenarios that an accountant can read: given a tariff and a usage file, when priced, then these lines and sums."""

import csv
import json
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import application

SCENARIOS = sorted(path.parent for path in Path(__file__).parent.glob("given_*/then_lines.csv"))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as opened:
        return list(csv.DictReader(opened))


def priced(folder: Path) -> dict:
    arguments = ["rate", str(folder / "given_tariff.json"), str(folder / "given_usage.json"), "--json"]
    result = CliRunner().invoke(application(arguments), arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda folder: folder.name)
def test_the_lines_and_sums_are_the_accountants(folder: Path) -> None:
    bill = priced(folder)
    found = [
        {
            "line": line["code"],
            "quantity": line["quantity"] or "",
            "unit": line["unit"],
            "price": line["price"] or "",
            "amount": line["amount"],
            "vat_percent": percent(line["vat_rate"]),
        }
        for line in bill["lines"]
    ]
    assert found == rows(folder / "then_lines.csv")
    assert sums(bill) == {row["sum"]: row["amount"] for row in rows(folder / "then_sums.csv")}


def percent(rate: str) -> str:
    return f"{(Decimal(rate) * 100).normalize():f}"


def sums(bill: dict) -> dict[str, str]:
    lease = sum(cents(line["amount"]) for line in bill["lines"] if line["category"].startswith("lease"))
    vat = {f"vat {percent(part['rate'])} %": part["vat"] for part in bill["vat"]}
    return {
        "lease": f"{lease // 100}.{lease % 100:02}",
        "net": bill["net"],
        **vat,
        "vat": bill["vat_total"],
        "total": bill["total"],
    }


def cents(amount: str) -> int:
    return int(amount.replace(".", ""))


def test_there_are_scenarios() -> None:
    assert len(SCENARIOS) >= 3
