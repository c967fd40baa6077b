"""How much of the raw observations is there, on the maker's page in one line."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.database import Role
from app.pages.maker_view import telemetry_line
from metering.store import MeteringStore
from metering.telemetry.receive import State, receive
from metering.telemetry.shelf import Shelf
from metering.telemetry.store import Completeness, TelemetryStore
from tests.app.site import Site
from tests.metering.telemetry.builders import agent, packed, working

UNTIL = datetime(2026, 3, 2, 8, 3, tzinfo=UTC)


def test_the_line_names_what_is_not_there() -> None:
    whole = Completeness(stored=3, newest=3, missing=0, lost_rows=0, thinned=0, refused=0, until=UNTIL)
    assert telemetry_line(whole, "UTC").startswith("3 of 3 segments, up to ")
    holes = Completeness(stored=2, newest=5, missing=3, lost_rows=40, thinned=1, refused=0, until=UNTIL)
    line = telemetry_line(holes, "UTC")
    assert line.endswith("3 missing, 1 thinned, 40 observations not kept by the agent")
    assert telemetry_line(Completeness(0, 0, 0, 0, 0, 0, None), "UTC") == ""


def test_the_owner_sees_it(site: Site, tmp_path: Path) -> None:
    with site.database.transaction(Role.WORKER) as session:
        machines, store = MeteringStore(session), TelemetryStore(session)
        one = next(each for each in machines.agents() if each.meter_id == site.lease.meter_id)
        log = agent()
        log.meter = one.meter_serial
        for number in range(3):
            segment = log.segment(working(seconds=60, start=60 * number))
            if number != 1:
                now = UNTIL + timedelta(hours=1)
                shelf = Shelf(tmp_path / "shelf")
                got = receive(packed(segment), agent=one, machines=machines, store=store, shelf=shelf, now=now)
                assert got.state is State.STORED
    with site.person("maker") as maker:
        assert "Raw telemetry: 2 of 3 segments" in maker.get("/maker").text
