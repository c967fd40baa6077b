"""Uploading a bank statement over HTTP, and reading one on the command line."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from httpx import Response
from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.testing import TestClient

from app import problems
from app.api import statements
from app.cli import main
from app.database import Database
from app.security import Viewer
from sandbox.bank import Line
from tests.billing.payments.conftest import Desk
from tests.builders import open_shop

SAMPLES = Path(__file__).parents[1] / "billing" / "payments" / "camt"


def client(desk: Desk, role: str) -> TestClient[Litestar]:
    maker = desk.shop.maker
    viewer = Viewer(user_id=maker.id, organisation_id=maker.id, role=role, name="Anna", organisation=maker.name)
    return TestClient(
        Litestar(
            statements.route_handlers,
            state=State({"database": desk.database}),
            dependencies={"viewer": Provide(lambda: viewer, sync_to_thread=False)},
            exception_handlers=problems.exception_handlers(),
        )
    )


def upload(http: TestClient[Litestar], content: bytes) -> Response:
    return http.post("/api/bank/statements", content=content, headers={"Content-Type": "application/xml"})


def test_an_upload_says_what_it_settled_and_what_waits(database: Database) -> None:
    shop = open_shop(database)
    desk = Desk(shop, shop.lease())
    invoice = desk.issue("1000.00")
    content = desk.statement(
        Line(Decimal("1000.00"), reference=invoice.reference or ""), Line(Decimal("7.00"), text="?")
    )
    with client(desk, "finance") as http:
        first, again = (upload(http, content).json() for _ in range(2))
        refused = upload(http, content[:-20])
        assert http.post("/api/bank/statements", content=content).status_code == 415
    assert [each["new"] for each in (*first["imported"], *again["imported"])] == [2, 0]
    assert [(each["number"], each["amount"]) for each in first["matched"]] == [(invoice.number, "1000.00")]
    assert again["matched"] == []
    assert [(each["amount"], each["note"]) for each in again["waiting"]] == [("7.00", "names no open invoice")]
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("line ")
    with client(desk, "sme") as http:
        assert upload(http, content).status_code == 403


def test_bank_read_shows_a_file_without_a_database(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("bank", "read", str(SAMPLES / "v04_batch_sum.xml")) == 0
    assert "adds up" in capsys.readouterr().out
    assert run("bank", "read", "--json", str(SAMPLES / "v08_pages.xml")) == 0
    first, _ = json.loads(capsys.readouterr().out)
    assert (first["opening"], first["closing"], first["adds_up"]) == ("1000.00", "1500.00", True)
    assert first["entries"][0]["transactions"][0]["remittance"] == ["LS2026050019"]


def test_bank_read_tells_a_bad_sum_from_a_bad_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.xml"
    wrong.write_bytes((SAMPLES / "v13_return.xml").read_bytes().replace(b"629000", b"629001"))
    assert run("bank", "read", str(wrong)) == 1
    assert "does not add up, 1 JPY differ" in capsys.readouterr().out
    wrong.write_bytes(wrong.read_bytes()[:-10])
    assert run("bank", "read", str(wrong)) == 3
    assert capsys.readouterr().err.startswith("spindleshare: line ")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)
