"""Who sees which session, and which of its readings: the owner all, a lessee its own, nobody else anything."""

import json
from datetime import datetime

import httpx
import pytest
from sqlalchemy import text

from app import cli
from app.database import Database, Role
from metering.period import Period
from metering.session import Cutting, MeasuredSession
from metering.store import MeteringStore
from tests.app.site import Site
from tests.builders import MAY, open_shop, quarter_after, running, seal_life
from tests.conftest import Postgres


def measured(site: Site) -> dict[str, MeasuredSession]:
    """The closed session of each lessee, by the lessee's key."""
    period = Period(site.issued.period.start, site.draft.period.end)
    with site.database.transaction(Role.WORKER) as session:
        found = MeteringStore(session).sessions(site.shop.meter.id, period)
    names = {site.lease.lessee_id: "sme", site.other_lease.lessee_id: "other"}
    return {names[one.session.party_id]: one for one in found if one.closing and one.closing.evidence[0] > 1}


def sessions_page(person: httpx.Client, site: Site, at: datetime) -> str:
    answer = person.get(f"/meters/{site.shop.meter.id}/sessions", params={"month": f"{at:%Y-%m}"})
    assert answer.status_code == 200, answer.text
    return answer.text


def test_each_sees_its_own_sessions_and_the_owner_all(site: Site) -> None:
    start = site.issued.period.start.astimezone()
    with site.person("maker") as maker:
        page = sessions_page(maker, site, start)
        assert [name in page for name in ("Sme</td>", "Other</td>")] == [True, True]
        assert "cut at quarter hours" in page
        assert "No cut schedule yet" in page
        assert f"/meters/{site.shop.meter.id}/sessions" in maker.get("/maker").text
    with site.person("sme") as sme:
        page = sessions_page(sme, site, start)
        assert [name in page for name in ("Sme</td>", "Other</td>", "schedule")] == [True, False, False]
        assert "cut at quarter hours" in sme.get("/sme").text
        for wrong in ("2026", "9999-99", "0001-01"):
            assert sme.get(f"/meters/{site.shop.meter.id}/sessions?month={wrong}").status_code == 400
    with site.person("outsider-maker") as stranger:
        assert stranger.get(f"/meters/{site.shop.meter.id}/sessions").status_code == 404


def test_a_lessee_sees_the_readings_at_both_ends_of_its_session_and_no_others(site: Site) -> None:
    mine, others = measured(site)["other"], measured(site)["sme"]
    assert mine.opening
    assert mine.closing
    assert others.closing
    with site.person("other") as lessee:
        for edge in (mine.opening, mine.closing):
            assert lessee.get(f"/meters/{site.shop.meter.id}/readings/{edge.evidence[0]}").status_code == 200
        after = mine.opening.evidence[0] - 1
        for hidden in (others.closing.evidence[0], after):
            assert lessee.get(f"/meters/{site.shop.meter.id}/readings/{hidden}").status_code == 404


def test_the_command_lists_sessions_with_their_registers(
    database: Database, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = open_shop(database)
    booking = shop.book(shop.lease(), quarter_after(MAY.start, 1))
    shop.ingest(seal_life(shop, {MAY.start: running()}, quarter_after(MAY.start, 2)))
    with database.transaction(Role.WORKER) as session:
        name = str(session.execute(text("SELECT current_database()")).scalar_one())
    monkeypatch.setenv("SPINDLESHARE_RUN_URL", postgres.run_url(name))

    def command(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            cli.main(["sessions", shop.meter.serial, *arguments])
        assert not ended.value.code
        return capsys.readouterr().out

    (told,) = json.loads(command("--month", "2026-05", "--json"))
    assert (told["session"], told["cut"]) == (str(booking.id), Cutting.BY_SERVICE.value)
    assert told["grown"]["spindle_on"] == 900_000
    assert (told["opening"]["readings"], told["closing"]["readings"]) == ([1, 1], [5, 5])
    assert "readings 1 and 5" in command("--month", "2026-05")
    assert "no session" in command("--month", "2026-03")
