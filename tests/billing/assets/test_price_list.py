"""Prices that an asset's figures suggest, by the worked month."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from app.cli import main
from app.cli.json_file import packaged
from billing.assets.asset_json import asset_from_json
from billing.assets.price_list import price_list

EXAMPLE = json.loads(packaged("billing.assets", "examples", "asset"))


def test_the_worked_month() -> None:
    read = asset_from_json(EXAMPLE)
    assert read.pricing is not None
    found = price_list(read.asset, read.pricing)
    assert str(found.base_fee.decimal) == "6970.83"
    assert {one.component: f"{one.price:f}" for one in found.prices} == {"spindle": "9.5000", "axes": "5.7000"}
    assert str(found.expected_month.decimal) == "9760.83"


def test_a_margin_is_on_everything() -> None:
    read = asset_from_json(EXAMPLE | {"pricing": {"interest_percent": "6", "margin_percent": "10"}})
    assert read.pricing is not None
    found = price_list(read.asset, read.pricing)
    assert str(found.base_fee.decimal) == "7447.92"
    assert [f"{one.price:f}" for one in found.prices] == ["10.4500", "6.2700"]
    assert found.per_hour is None


@pytest.mark.parametrize("name", ["asset", "finance_lease"])
def test_examples_keep_to_their_schemas(name: str) -> None:
    schema = json.loads(packaged("billing.assets", "schemas", name))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(json.loads(packaged("billing.assets", "examples", name)))


@pytest.mark.parametrize(
    ("command", "file", "said"),
    [
        ("depreciate", "asset", "net book value 454,916.59 CNY"),
        ("price-list", "asset", "6,970.83"),
        ("finance-lease", "finance_lease", "Payment 24312.13"),
    ],
)
def test_doors_without_a_database(
    command: str, file: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file.json"
    path.write_text(packaged("billing.assets", "examples", file))
    assert said in _out(capsys, command, str(path))
    assert json.loads(_out(capsys, command, str(path), "--json"))
    assert json.loads(_out(capsys, command, "--schema"))["title"]


def test_a_wrong_file_is_one_line_a_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "file.json"
    path.write_text('{"asset": "m", "currency": "CNY", "components": []}')
    with pytest.raises(SystemExit) as left:
        main(["depreciate", str(path)])
    assert left.value.code == 3
    told = capsys.readouterr().err
    assert "$.first_month: is missing" in told
    assert "$.components: write a list" in told


def _out(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    assert left.value.code == 0
    return capsys.readouterr().out


def test_a_book_value_of_nothing_is_said_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "file.json"
    method = {"kind": "straight_line", "months": 12}
    parts = [{"code": "all", "cost": "1200.00", "residual": "0", "method": method}]
    path.write_text(json.dumps({"asset": "m", "currency": "CNY", "first_month": "2026-01", "components": parts}))
    assert "charged 1,200.00 CNY  net book value 0.00 CNY" in _out(capsys, "depreciate", str(path))
