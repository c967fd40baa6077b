"""Usage as known then and now, on its page and in the command; evidence from figure to reading and back."""

import csv
import io
import json
import re
from datetime import timedelta
from urllib.parse import quote

import pytest
from sqlalchemy import text

from app import cli
from app.database import Database, Role
from metering.cut_usage import cut_usage
from metering.period import Period
from metering.store import MeteringStore
from tests.app.site import Site
from tests.app.test_completeness import Sealer, quarters
from tests.builders import JUNE, MAY, QUARTER_MS, Shop, open_shop
from tests.conftest import Postgres

DAY = Period(MAY.start, MAY.start + timedelta(days=1))


@pytest.fixture
def shop(database: Database) -> Shop:
    """Half a quarter hour was settled in May; its other half came in June."""
    shop = open_shop(database)
    sealer = Sealer(shop.agent, shop.key)
    soon = MAY.start + timedelta(hours=1)
    shop.ingest(list(sealer.seal([MAY.start, MAY.start + timedelta(minutes=7)], spindle_on=QUARTER_MS // 4)), now=soon)
    with database.transaction(Role.WORKER) as session:
        cut_usage(shop.meter.id, DAY, store=MeteringStore(session), now=soon)
    shop.ingest(list(sealer.seal(quarters(0, 2), spindle_on=QUARTER_MS // 4)), now=JUNE)
    return shop


def run(shop: Shop, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    with shop.database.transaction(Role.WORKER) as session:
        name = str(session.execute(text("SELECT current_database()")).scalar_one())
    monkeypatch.setenv("SPINDLESHARE_RUN_URL", postgres.run_url(name))
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    return int(str(ended.value.code or 0))


def command(shop: Shop, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    day = ("usage", shop.meter.serial, "--from", "2026-05-01", "--until", "2026-05-02")
    return run(shop, postgres, monkeypatch, *day, *arguments)


def test_the_command_tells_then_and_now(
    shop: Shop, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(shop, postgres, monkeypatch, "--known-on", "2026-05-02", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["totals"]["spindle_on"], told["totals_now"]["spindle_on"]) == (225_000, 675_000)
    first, second = told["rows"]
    assert (first["grown"], first["now"]["grown"]) == ({"spindle_on": 225_000}, {"spindle_on": 450_000})
    assert first["now"]["marks"] == ["late", "corrected"]
    assert (second["grown"], second["now"]["grown"]) == ({}, {"spindle_on": 225_000})
    assert command(shop, postgres, monkeypatch, "--csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    columns = ("marks", "revision", "spindle_on", "first_reading", "last_reading")
    assert [tuple(row[name] for name in columns) for row in rows] == [
        ("late; corrected", "2", "450000", "1", "3"),
        ("late", "1", "225000", "3", "4"),
    ]
    assert command(shop, postgres, monkeypatch, "--known-on", "2026-05-02T00:00+08:00") == 0
    shown = capsys.readouterr().out
    assert "today 0.1875" in shown
    assert "changed since: 2026-05-01 00:00 spindle_on +225000" in shown
    assert command(shop, postgres, monkeypatch, "--known-on", "yesterday") == 3
    assert command(shop, postgres, monkeypatch, "--json", "--csv") == 3


def test_days_are_told_of_one_meter_and_of_all_by_the_clock_asked_for(
    shop: Shop, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(*arguments: str) -> str:
        assert run(shop, postgres, monkeypatch, "days", *arguments) == 0
        return capsys.readouterr().out

    (only,) = json.loads(told(shop.meter.serial, "--period", "2026-05", "--json"))
    assert (only["meter"], only["day"], only["grown"]) == (shop.meter.serial, "2026-05-01", {"spindle_on": 675_000})
    rows = list(csv.DictReader(io.StringIO(told("--period", "2026-04-01/2026-06-01", "--zone", "UTC", "--csv"))))
    assert [(row["meter"], row["day"], row["spindle_on"]) for row in rows] == [
        (shop.meter.serial, "2026-04-30", "675000")
    ]
    assert "0.1875" in told("--period", "2026-05")
    assert run(shop, postgres, monkeypatch, "days", "SN-none", "--period", "2026-05") == 3
    assert run(shop, postgres, monkeypatch, "days", "--period", "May") == 3


def test_the_page_shows_a_day_as_known_then_beside_today(site: Site) -> None:
    meter, period = site.lease.meter_id, site.issued.period
    start, end = (quote(each.isoformat()) for each in (period.start, period.end))
    with site.person("maker") as maker:
        plain = maker.get(f"/meters/{meter}/usage?start={start}&end={end}").text
        assert "As known today." in plain
        assert "0.7500" in plain or "0.2500" in plain
        before = maker.get(f"/meters/{meter}/usage?start={start}&end={end}&known_on=2020-01-01").text
        assert "changed since" in before
        assert "As known on 2020-01-02 00:00:00" in before
        whole = maker.get(f"/meters/{meter}/usage?month={period.start:%Y-%m}").text
        link = re.search(rf'href="/meters/{meter}/usage\?(start=[^"]+)"', whole)
        assert link
        assert maker.get(f"/meters/{meter}/usage?{link[1].replace('&amp;', '&')}").status_code == 200
        assert maker.get(f"/meters/{meter}/usage").status_code == 200
        for wrong in ("start=2026-05-02&end=2026-05-01", "known_on=now", "start=2020-01-01&end=2026-01-01", "month=5"):
            assert maker.get(f"/meters/{meter}/usage?{wrong}").status_code == 400, wrong
        invoice = maker.get(f"/invoices/{site.issued.id}").text
        known = re.search(rf'href="(/meters/{meter}/usage\?[^"]+known_on=[^"]+)"', invoice)
        assert known
        assert "As known on" in maker.get(known[1].replace("&amp;", "&")).text
    with site.person("finance") as finance:
        assert finance.get(f"/meters/{meter}/usage").status_code == 200
    with site.person("sme") as sme:
        assert sme.get(f"/meters/{meter}/usage").status_code == 403
    with site.person("outsider-maker") as stranger:
        assert stranger.get(f"/meters/{meter}/usage").status_code == 404


def test_a_reading_leads_to_the_usage_and_the_lines_that_rest_on_it(site: Site) -> None:
    """And back: each line's first and last reading name that line."""
    line = next(line for line in site.issued.lines if line.evidence)
    position = site.issued.lines.index(line) + 1
    part = line.evidence[0]
    link = f"/invoices/{site.issued.id}#line-{position}"
    for sequence, holds in ((part.first, True), (part.last, True), (part.last + 20, False)):
        with site.person("maker") as maker:
            page = maker.get(f"/meters/{site.lease.meter_id}/readings/{sequence}").text
        assert (link in page) is holds, sequence
    with site.person("sme") as sme:
        assert link in sme.get(f"/meters/{site.lease.meter_id}/readings/{part.first}").text
        invoice = sme.get(f"/invoices/{site.issued.id}").text
        assert f'id="line-{position}"' in invoice
    with site.person("maker") as maker:
        page = maker.get(f"/meters/{site.lease.meter_id}/readings/{part.first}").text
        assert re.search(rf'href="/meters/{site.lease.meter_id}/usage\?start=', page)


def test_a_buyer_sees_no_draft_behind_a_reading(site: Site) -> None:
    part = next(line.evidence[0] for line in site.draft.lines if line.evidence)
    address = f"/meters/{site.lease.meter_id}/readings/{part.first}"
    with site.person("maker") as maker:
        assert f"/invoices/{site.draft.id}#line" in maker.get(address).text
    with site.person("other") as other:
        page = other.get(address)
        assert page.status_code == 200
        assert str(site.draft.id) not in page.text
