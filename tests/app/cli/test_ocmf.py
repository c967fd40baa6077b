"""`spindleshare ocmf`: records of any make as a stranger sees them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import application
from app.cli.ocmf import NotOcmf
from app.cli.problem import explain
from billing.payments.statement import StatementRefused
from tests.metering.test_ocmf_public import BEGIN, END, Station, theirs

WHOLE_END = END.replace("}", ',"RI":"01-00:01.08.00.FF","RU":"kWh","ST":"G"}')


def run(*arguments: str) -> tuple[int, str]:
    outcome = CliRunner().invoke(application(["ocmf"]), ["ocmf", *arguments])
    if outcome.exception and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    return outcome.exit_code, outcome.output


@pytest.fixture
def station() -> Station:
    return Station()


@pytest.fixture
def file(tmp_path: Path, station: Station) -> Path:
    path = tmp_path / "session.ocmf"
    path.write_text(f"{station.says(BEGIN, page=7)}\n\n{station.says(WHOLE_END, page=8)}\n")
    return path


def test_a_session_is_shown_with_its_energy_and_whether_it_verifies(file: Path, station: Station) -> None:
    status, output = run(str(file), "--key", station.public)
    assert status == 0
    assert "meter 1XYZ0033016824, 2 of OCMF 1.0, T7 T8" in output
    assert "3.0000 kWh" in output
    assert "signature verified" in output
    assert "note" not in output


def test_without_a_key_nothing_is_called_verified(file: Path) -> None:
    status, output = run(str(file))
    assert status == 1
    assert "not checked: there is no key; give --key" in output
    assert "verified" not in output


def test_a_changed_record_is_told_apart_from_the_sound_one(file: Path, station: Station, tmp_path: Path) -> None:
    key = tmp_path / "key.txt"
    key.write_text(station.public)
    file.write_text(file.read_text().replace("12.0380", "11.0380"))
    status, output = run(str(file), "--key", str(key))
    assert status == 1
    assert "signature verified (1 of 2)" in output
    assert "WRONG: the signature does not match" in output


def test_what_is_written_for_the_transparency_software_is_read_back(
    file: Path, station: Station, tmp_path: Path
) -> None:
    written = tmp_path / "session.xml"
    assert run(str(file), "--key", station.public, "--xml", str(written))[0] == 0
    status, output = run(str(written), "--json")
    assert status == 0
    (group,) = json.loads(output)
    assert group["energy_kwh"] == "3.0000"
    assert [record["verdict"] for record in group["records"]] == ["verified", "verified"]
    assert theirs(written.read_text().split(">")[4].split("<")[0], station.public)
    assert "compare it with the meter's own" in run(str(written))[1]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"<values/>", b"<!DOCTYPE a><values/>", b"<values>"])
def test_rubbish_ends_with_a_line_that_says_why(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rubbish"
    path.write_bytes(content)
    with pytest.raises((NotOcmf, StatementRefused)) as raised:
        run(str(path))
    line, status = explain(raised.value)
    assert any(word in line for word in ("one `OCMF|...` text a line", "document type", "well-formed"))
    assert status == 3


def test_an_unreadable_record_does_not_hide_the_others(file: Path, station: Station) -> None:
    file.write_text(f"OCMF|nonsense\x1b[2J|{{}}\n{file.read_text()}")
    status, output = run(str(file), "--key", station.public)
    assert status == 1
    assert "unreadable: payload: no JSON" in output
    assert "signature verified (2 of 3)" in output
    assert "\x1b" not in output
