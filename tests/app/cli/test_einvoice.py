"""`spindleshare einvoice` as a stranger meets it."""

import io
import json
import time
from pathlib import Path

import facturx
import pytest
from pypdf import PdfReader

from app.cli import main
from app.cli.problem import PROBLEM
from tests.billing.invoicing.einvoice.invoices import EXAMPLES, example_text


def run(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["einvoice", *map(str, arguments)])
    told = capfd.readouterr()
    return int(end.value.code or 0), told.out, told.err


@pytest.fixture
def invoice(tmp_path: Path) -> Path:
    file = tmp_path / "invoice.json"
    file.write_text(example_text("invoice"), encoding="utf-8")
    return file


def test_examples_and_schema_are_printed(capfd: pytest.CaptureFixture[str]) -> None:
    for name in EXAMPLES:
        assert json.loads(run(capfd, "--example", name)[1])
    assert json.loads(run(capfd, "--schema")[1])["$id"] == "urn:spindleshare:einvoice:1"


def test_a_document_to_stdout_with_the_report_beside_it(invoice: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd, invoice, "--format", "xrechnung")
    assert code == 0
    assert out.startswith("<?xml")
    assert "xrechnung_3.0" in out
    assert "Sums, to the cent" in err
    assert "KoSIT's validator was not run" in err


def test_a_broken_rule_writes_nothing(invoice: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = json.loads(invoice.read_text(encoding="utf-8"))
    data["lines"][3]["price"] = "-2.70"
    invoice.write_text(json.dumps(data), encoding="utf-8")
    target = tmp_path / "out.xml"
    code, out, _ = run(capfd, invoice, "--format", "ubl", "-o", target)
    assert (code, target.exists()) == (1, False)
    assert "WRONG $.lines[3].price: is -2.70; write a credit as an allowance of the document [BR-27]" in out
    code, out, _ = run(capfd, invoice, "--format", "ubl", "--json")
    report = json.loads(out)
    assert (code, report["passed"], report["document"]) == (1, False, None)
    assert report["findings"][0]["rule"] == "BR-27"


def test_wrong_fields_are_lines_with_the_files_name(invoice: Path, capfd: pytest.CaptureFixture[str]) -> None:
    invoice.write_text('{"format": "spindleshare-einvoice/1", "lines": []}', encoding="utf-8")
    code, out, err = run(capfd, invoice, "--format", "ubl")
    assert (code, out) == (PROBLEM, "")
    assert "invoice.json: $.number: is missing" in err
    assert run(capfd, invoice)[0] == 2
    assert run(capfd, invoice.with_name("none.json"), "--format", "ubl")[0] == PROBLEM


def test_the_same_factur_x_every_time_with_its_xml_and_fields(
    invoice: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "one.pdf", tmp_path / "two.pdf"
    for target in (first, second):
        assert run(capfd, invoice, "--format", "factur-x", "-o", target)[0] == 0
        time.sleep(1.1 * (target is first))  # the library stamps seconds
    assert first.read_bytes() == second.read_bytes()
    name, xml = facturx.get_xml_from_pdf(first.read_bytes(), check_xsd=True)
    assert name == "factur-x.xml"
    assert b"17053.21" in xml
    reader = PdfReader(io.BytesIO(first.read_bytes()))
    xmp = reader.xmp_metadata
    assert xmp is not None
    metadata = xmp.stream.get_data().decode()
    for expected in ("<pdfaid:part>3</pdfaid:part>", "EN 16931", "factur-x.xml", "2026-06-01T00:00:00"):
        assert expected in metadata
    text = "".join(page.extract_text() for page in reader.pages)
    for expected in ("LS2026000017", "17,053.21", "Fräserei Muster KG", "RF79LS2026000017", "-418.25"):
        assert expected in text


def test_goods_codes_as_configuration(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file, goods = tmp_path / "f.json", tmp_path / "goods.json"
    data = json.loads(example_text("fapiao"))
    del data["fapiao"]["goods"]
    file.write_text(json.dumps(data), encoding="utf-8")
    goods.write_text(example_text("goods"), encoding="utf-8")
    code, out, _ = run(capfd, file, "--format", "fapiao")
    assert code == 1
    assert "ask the tax office" in out
    code, out, _ = run(capfd, file, "--format", "fapiao", "--goods", goods)
    assert (code, json.loads(out)["价税合计"]) == (0, "16151.39")
