"""Wear on the command line and over HTTP: a leased month, who wore it, corrections, and what is refused."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.testing import TestClient
from typer.testing import CliRunner

import app.telemetry
from app import clock, problems
from app.api import wear as wear_api
from app.cli import application
from app.database import Database, Role
from app.security import Viewer
from app.settings import Settings
from billing.capacity.machine_use import MachineUse
from billing.capacity.measure import measure
from billing.capacity.store import LeasingStore
from billing.pricing.rating import rate
from metering.components.file import EXAMPLE, read_components
from metering.period import Period
from metering.store import MeteringStore
from tests.builders import JUNE, MAY, Growth, Shop, open_shop, running, seal_life, worked_month, worked_tariff

EXAMPLE_TEXT = EXAMPLE.read_text()
SPINDLE, SCREW, CHANGER, BEARINGS = "spindle S1 by wear hours", "ball screw X", "tool changer", "spindle S1 bearings"


@pytest.fixture
def shop(database: Database, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The worked month, metered: 247.21344 wear hours; one lessee had the first half of May."""

    @contextmanager
    def opened(_: Settings) -> Iterator[Database]:
        yield database

    monkeypatch.setattr(app.telemetry, "opened", opened)
    found = open_shop(database)
    lease = found.lease()
    found.book(lease, Period(MAY.start, datetime(2026, 5, 15, tzinfo=UTC)))
    found.ingest(seal_life(found, worked_month()), now=JUNE)
    return found


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(application(arguments), list(arguments))
    if code:
        assert done.exception is not None
        return str(done.exception)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


def described(folder: Path, text: str = EXAMPLE_TEXT) -> str:
    file = folder / "components.toml"
    file.write_text(text)
    return str(file)


def share(found: dict[str, Any], of: str = "share") -> Fraction:
    return Fraction(found["present"]["whole"][of])


def test_a_month_by_component_and_by_whom(shop: Shop, tmp_path: Path) -> None:
    serial = shop.meter.serial
    told = run("components", "set", serial, described(tmp_path))
    assert told.count("recorded") == 8
    assert "nothing recorded" in run("components", "set", serial, described(tmp_path))
    month = json.loads(run("wear", serial, "--from", "2026-05-01", "--until", "2026-06-01", "--json"))
    found = {each["name"]: each for each in month["components"]}
    spindle = found[SPINDLE]
    assert round(share(spindle) * 12_000, 4) == Fraction("247.2134")
    assert Fraction(spindle["worth"]["carried_by_use"]) == round(120_000 - Fraction("247.21344") * Fraction("9.5"), 6)
    assert found[CHANGER]["in_period"] == {"cannot_say": "the meter does not count tool_changes"}
    assert found[CHANGER]["remaining"] is None
    assert Fraction(found[SCREW]["present"]["whole"]["used"]) > 25
    bearings = found[BEARINGS]
    assert bearings["present"]["since_fitted"]["used"] == "212.500000"
    left = bearings["remaining"]
    assert Fraction(left["earliest"]) <= Fraction(left["on_mix"]) < Fraction(left["latest"])
    for each in (spindle, bearings, found[SCREW]):
        parts = {part["who"]: Fraction(part["worn"]["share"]) for part in each["by"]}
        assert len(parts) >= 2
        assert abs(sum(parts.values()) - Fraction(each["in_period"]["share"])) < Fraction(1, 10**11)
    # The tariff's wear line and a component with the tariff's constants: one definition, the same quarter hours.
    (mine,) = (part for part in spindle["by"] if part["lease"])
    assert round(Fraction(mine["worn"]["share"]) * 12_000, 4) == billed_wear_hours(shop) > 0
    text = run("wear", serial)
    assert "cannot be said: the meter does not count tool_changes" in text
    assert "band: " in text


def billed_wear_hours(shop: Shop) -> Fraction:
    """The quantity of the wear line of the lease's bill for May, rounded to four places."""
    lease = shop.lease()
    with shop.database.transaction(Role.WORKER) as session:
        usage = MeteringStore(session).usage(shop.meter.id, MAY)
        bookings = LeasingStore(session).bookings_of_machine(shop.meter.machine_id, MAY)
    lines = rate(
        worked_tariff(), measure(lease, MAY, uses=[MachineUse(lease.machine_id, usage, bookings)], facts=())
    ).lines
    (quantity,) = (line.quantity for line in lines if line.unit == "WH")
    return Fraction(quantity or 0)


def test_a_correction_and_a_new_piece(shop: Shop, tmp_path: Path) -> None:
    serial = shop.meter.serial
    run("components", "set", serial, described(tmp_path))
    before = worn_of(serial)
    doubled = described(tmp_path, EXAMPLE_TEXT.replace("capacity = 12000", "capacity = 6000"))
    assert "why" in run("components", "set", serial, doubled, code=3)
    because = EXAMPLE_TEXT.replace("capacity = 12000", "capacity = 6000").replace(
        'name = "spindle S1 by wear hours"', 'name = "spindle S1 by wear hours"\nwhy = "read wrongly"'
    )
    assert run("components", "set", serial, described(tmp_path, because)).count(": recorded") == 1
    after = worn_of(serial)
    assert share(after[SPINDLE]) == 2 * share(before[SPINDLE])
    assert "no component yet" in run("components", "list", serial, "--known-on", "2026-01-01")
    run("components", "fit", serial, BEARINGS, "--at", "2026-05-16T10:00", "--serial", "F-9", "--why", "noisy")
    fitted = worn_of(serial)[BEARINGS]
    assert fitted["present"]["serial"] == "F-9"
    assert [each["serial"] for each in fitted["earlier"]] == ["F-2231"]
    lives = Fraction(fitted["earlier"][0]["whole"]["share"]) + share(fitted)
    assert abs(lives - share(before[BEARINGS])) < Fraction(1, 10**11)
    listed = run("components", "list", serial)
    assert "read wrongly" in listed
    assert "F-9" in listed
    assert "taken back" in run("components", "withdraw", serial, BEARINGS, "3", "--why", "wrong machine")
    assert worn_of(serial)[BEARINGS]["earlier"] == []
    assert "there are:" in run("components", "withdraw", serial, "gearbox", "1", "--why", "x", code=3)


def worn_of(serial: str) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in json.loads(run("wear", serial, "--json"))["components"]}


def test_refusals_name_what_is_wrong(shop: Shop, tmp_path: Path) -> None:
    serial = shop.meter.serial
    wrong = EXAMPLE_TEXT.replace("rating_n = 30000", "rating_n = 0").replace("lead_mm = 10", 'lead_mm = "ten"')
    told = run("components", "set", serial, described(tmp_path, wrong), code=3)
    assert "component[0].rating_n" in told
    assert "component[2].lead_mm" in told
    assert "no TOML" in run("components", "set", serial, described(tmp_path, "[[component"), code=3)
    assert "example" in run("components", "set", serial, described(tmp_path, ""), code=3)
    assert "no machine 'M-0'" in run("wear", "M-0", code=3)
    assert "no time" in run("wear", serial, "--from", "yesterday", code=3)
    assert "not after the start" in run("wear", serial, "--from", "2026-05-02", "--until", "2026-05-01", code=3)
    assert run("components", "example") == EXAMPLE_TEXT
    assert len(read_components(EXAMPLE.read_bytes())) == 4


def client(shop: Shop, role: str = "maker", *, outsider: bool = False) -> TestClient[Litestar]:
    owner = shop.sme if outsider else shop.maker
    viewer = Viewer(user_id=owner.id, organisation_id=owner.id, role=role, name="Anna", organisation=owner.name)
    return TestClient(
        Litestar(
            wear_api.route_handlers,
            state=State({"database": shop.database}),
            dependencies={"viewer": Provide(lambda: viewer, sync_to_thread=False)},
            exception_handlers=problems.exception_handlers(),
        )
    )


def test_over_http(shop: Shop) -> None:
    path = f"/api/machines/{shop.meter.machine_id}"
    said = {
        "name": "ball screw X",
        "kind": "ball_screw",
        "valid_from": "2026-04-20T00:00:00Z",
        "parameters": {"axis": "X", "rating_n": 25000.5, "lead_mm": "10", "duty": [[3000, 500, 20]]},
    }
    with client(shop) as http:
        done = http.post(f"{path}/components/set", json=said)
        assert done.status_code == 200, done.text
        assert done.json()["recorded"] == [1, 2]
        assert done.json()["entries"][0]["parameters"]["rating_n"] == "25000.5"
        assert http.post(f"{path}/components/set", json=said).json()["recorded"] == []
        entries = f"{path}/components/{done.json()['component']}/entries"
        piece = {"what": "fitted", "fitted_at": "2026-05-10T00:00:00Z", "serial": "X-2", "why": "backlash"}
        assert http.post(entries, json=piece).json()["recorded"] == [3]
        assert http.post(entries, json={"what": "withdrawn", "withdraws": 3, "why": "no"}).json()["recorded"] == [4]
        wrong = http.post(f"{path}/components/set", json={**said, "parameters": {"axis": "X"}})
        assert wrong.status_code == 422
        assert [each["field"] for each in wrong.json()["fields"]] == ["rating_n", "lead_mm", "duty"]
        for body in ({"what": "fitted"}, {"what": "else"}, [], {"what": "withdrawn", "withdraws": True}):
            assert http.post(entries, json=body).status_code == 422
        assert http.post(entries, content=b"{", headers={"content-type": "application/json"}).status_code == 400
        assert http.post(entries, content=b"{}", headers={"content-type": "text/plain"}).status_code == 415
        found = http.get(f"{path}/wear", params={"start": "2026-05-01", "until": "2026-06-01"}).json()
        assert found["components"][0]["present"]["whole"]["used"] == found["components"][0]["in_period"]["used"]
        # A day is the machine's: in the evening of UTC it is another one there.
        today = clock.now().astimezone(ZoneInfo(shop.listing.zone)).date().isoformat()
        known = http.get(f"{path}/components", params={"known_on": today}).json()["components"]
        assert len(known[0]["entries"]) == 4
        assert http.get(f"{path}/components", params={"known_on": "2026-01-01"}).json() == {"components": []}
        assert http.get(f"{path}/wear", params={"start": "soon"}).status_code == 400
    with client(shop, outsider=True) as http:
        assert http.get(f"{path}/wear").status_code == 404
        assert http.post(f"{path}/components/set", json=said).status_code == 404
    with client(shop, "finance") as http:
        assert http.get(f"{path}/wear").status_code == 403


def test_no_load_at_all_is_said_as_such(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine whose spindle turns without load or speed: hours are known, wear is not, nothing is left to promise."""

    @contextmanager
    def opened(_: Settings) -> Iterator[Database]:
        yield database

    monkeypatch.setattr(app.telemetry, "opened", opened)
    shop = open_shop(database)
    quarter = running()
    bare = Growth(quarter.deltas, {})
    day = Period(MAY.start, datetime(2026, 5, 2, tzinfo=UTC))
    shop.ingest(seal_life(shop, {part.start: bare for part in day.quarter_hours()}, day), now=JUNE)
    run("components", "set", shop.meter.serial, described(tmp_path))
    bearings = worn_of(shop.meter.serial)[BEARINGS]
    whole = bearings["present"]["whole"]
    assert (whole["share"], whole["most"], whole["used"]) == ("0.000000000000", None, whole["used_with_unknown_load"])
    assert bearings["remaining"] == {
        "on_mix": None,
        "lately": None,
        "earliest": None,
        "latest": None,
        "survive": "1.000000",
    }
    assert "cannot be said" in run("wear", shop.meter.serial)
