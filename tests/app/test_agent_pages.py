"""The maker's page of an agent: refused records with reasons, the decision about them, and the end of a key."""

import json
import re
from dataclasses import replace
from html import unescape

import pytest
from sqlalchemy import text

from app import cli
from app.clock import now
from app.database import Database, Role
from app.refusals import tend_refusals
from metering.ocmf import Sealed, new_key
from metering.refusals.refusal import KeptAside
from metering.refusals.store import RefusalStore
from metering.store import MeteringStore
from tests.app.site import Site
from tests.conftest import Postgres
from tests.metering.builders import Box, add_parties, chain_of, enrolled_box, reading, texts

AGREED = {"agreed": "yes"}


def chain(box: Box, count: int, *, forged: int) -> list[Sealed]:
    """The agent's records, of which one was sealed by a key that nobody knows."""
    sealed: list[Sealed] = []
    for number in range(1, count + 1):
        signer = replace(box, key=new_key()) if number == forged else box
        sealed += chain_of(signer, [reading(number)], after=sealed[-1] if sealed else None)
    return sealed


def kept(database: Database, box: Box) -> dict[int | None, KeptAside]:
    with database.transaction(Role.WORKER) as session:
        return {one.pagination: one for one in RefusalStore(session).kept_aside(box.agent.meter_id, most=100)}


def error_of(page: str, name: str) -> str:
    """What is said to be wrong with a field, where the field points to it."""
    tag = re.search(rf'<(?:input|textarea|select) [^>]*name="{name}"[^>]*>', page)
    assert tag
    pointed = re.search(r"[\w-]+-error", tag[0])
    told = re.search(rf'id="{pointed[0]}">([^<]*)<', page) if pointed else None
    return unescape(told[1]) if told else ""


def test_an_owner_decides_about_refused_records_and_nobody_else_does(site: Site) -> None:
    """One market for all three: each has a machine with an agent of its own."""
    accepts_the_gap(site)
    revokes_the_key(site)
    others_are_kept_out(site)


def accepts_the_gap(site: Site) -> None:
    """The owner sees why records were refused, is told what the gap means, and accepts it."""
    box = enrolled_box(site.database, serial="RB-1")
    box.send(site.database, texts(chain(box, 8, forged=4)))
    assert len(tend_refusals(site.database, now=now())) == 1
    waiting, place = kept(site.database, box), f"/meters/{box.agent.meter_id}/agent"
    four, five = (f"{place}/refusals/{waiting[number].id}" for number in (4, 5))
    with site.person("maker") as maker:
        fleet = maker.get("/maker").text
        assert "5 records of meter RB-1 were refused" in fleet
        assert f'href="{place}"' in fleet
        page = maker.get(place).text
        assert "does not match" in page or "signature" in page
        assert "waits behind record 4" in page
        assert f'href="{four}"' in page
        assert f'href="{five}"' not in page
        asked = maker.get(four).text
        assert "reading 3 of 2026-03-02 09:30:00 CET to reading 5 of 2026-03-02 10:00:00 CET" in asked
        assert re.search(r'<td class="mono">cutting</td><td class="num">0\.0006</td><td>h</td>', asked)
        assert maker.get(five).status_code == 409
        refused = maker.submit(f"{four}/accept", {"why": " "})
        assert refused.status_code == 422
        assert error_of(refused.text, "why") == "say why, in 1 to 500 characters"
        assert error_of(refused.text, "agreed") == "tick the box once you have read it"
        assert maker.submit(f"{four}/accept", {"why": "<i>box</i> swapped"}).status_code == 422
        assert maker.post(f"{four}/accept", data={"why": "box", **AGREED}).status_code == 403
        assert len(kept(site.database, box)) == 5
        done = maker.submit(f"{four}/accept", {"why": "<i>box</i> swapped", **AGREED})
        assert (done.status_code, done.headers["location"]) == (303, place)
        page = maker.get(place).text
        assert "The gap is accepted; 4 records behind it were stored." in page
        assert "&lt;i&gt;box&lt;/i&gt; swapped" in page
        assert "gap accepted after record 3" in page
        assert "were refused" not in maker.get("/maker").text
        assert maker.submit(f"{four}/accept", {"why": "again", **AGREED}).status_code == 409
    assert kept(site.database, box) == {}


def revokes_the_key(site: Site) -> None:
    """The owner revokes the agent's key, and notes what came after."""
    box = enrolled_box(site.database, serial="RB-2")
    sealed, place = texts(chain(box, 5, forged=0)), f"/meters/{box.agent.meter_id}/agent"
    box.send(site.database, sealed[:2])
    with site.person("maker") as maker:
        assert f'href="{place}/revoke"' in maker.get(place).text
        assert "cannot be undone" in maker.get(f"{place}/revoke").text
        refused = maker.submit(f"{place}/revoke/confirm", {"why": "x" * 201, **AGREED})
        assert (refused.status_code, error_of(refused.text, "why")) == (422, "say why, in 1 to 200 characters")
        assert maker.submit(f"{place}/revoke/confirm", {"why": "box stolen", **AGREED}).status_code == 303
        assert len(box.send(site.database, sealed[2:]).refused) == 3
        page = maker.get(place).text
        assert "box stolen" in page
        assert f'href="{place}/revoke"' not in page
        assert "Note all 3 that nothing waits for" in page
        assert "Note 3 refused records" in maker.get(f"{place}/note").text
        assert maker.submit(f"{place}/note/confirm", {"why": "the thief's", **AGREED}).status_code == 303
        page = maker.get(place).text
        assert page.count("noted, no gap") == 3
        assert "record 5" in page
    assert kept(site.database, box) == {}


def others_are_kept_out(site: Site) -> None:
    """Neither another maker nor a lessee nor finance sees or decides anything."""
    box = enrolled_box(site.database, serial="RB-3")
    box.send(site.database, texts(chain(box, 4, forged=2)))
    place = f"/meters/{box.agent.meter_id}/agent"
    one = f"{place}/refusals/{kept(site.database, box)[2].id}"
    for name, status in (("outsider-maker", 404), ("sme", 403), ("finance", 403)):
        with site.person(name) as person:
            for path in (place, one, f"{place}/note", f"{place}/revoke"):
                assert person.get(path).status_code == status, (name, path)
            for path in (f"{one}/accept", f"{place}/note/confirm", f"{place}/revoke/confirm"):
                assert person.submit(path, {"why": "mine now", **AGREED}).status_code == status, (name, path)
    assert len(kept(site.database, box)) == 3
    with site.database.transaction(Role.WORKER) as session:
        agent = MeteringStore(session).agent_of(box.agent.meter_id)
    assert agent
    assert agent.revoked_at is None


def test_the_command_lists_accepts_and_notes(
    database: Database, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_parties(database)
    box = enrolled_box(database)
    box.send(database, texts(chain(box, 6, forged=3)))
    box.send(database, texts(chain_of(replace(box, key=new_key()), [reading(1)])))
    with database.transaction(Role.WORKER) as session:
        name = str(session.execute(text("SELECT current_database()")).scalar_one())
    monkeypatch.setenv("SPINDLESHARE_RUN_URL", postgres.run_url(name))

    def command(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["refusals", *arguments])
        told = capsys.readouterr()
        return int(str(ended.value.code or 0)), told.out + told.err

    rows = json.loads(command("list", "--json")[1])
    assert [row["record"] for row in rows] == [1, 3, 4, 5, 6]
    assert "records 3 to 3 are missing" in command("list", "--meter", "SM-1")[1]
    code, told = command("accept", "SM-1", "5", "--why", "lost box")
    assert (code, "record 5 waits behind record 3" in told) == (3, True)
    code, told = command("accept", "SM-1", "77", "--why", "lost box")
    assert (code, "refusals list" in told) == (3, True)
    assert "records stored behind it: 3" in command("accept", "SM-1", rows[1]["digest"][:12], "--why", "lost box")[1]
    assert "noted: 1 refused records" in command("note", "SM-1", "--why", "forged")[1]
    assert "no refused record" in command("list")[1]
