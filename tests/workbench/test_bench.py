"""The frame of the benchmarks: what a row says, and what the command prints."""

import json
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import httpx
import pytest
import typer
from typer.testing import CliRunner

from app.database import Role
from metering.interval import intervals
from metering.machine import meter_id
from metering.period import Period
from metering.reading import Reason
from metering.store import MeteringStore
from metering.usage import cut
from workbench.bench import command, rollup
from workbench.bench.ingest import flat, monthly, upload
from workbench.bench.ingest.box import OWNER, check_all_stored, enrol, reading
from workbench.bench.row import Better, Row, TooFewRuns, compare
from workbench.bench.service import Service, running_services

ALL = Period(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
FIELDS = ["name", "unit", "ours", "limit", "ratio", "better", "goal", "holds", "runs", "spread", "how"]


def row(*, goal: float = 0.3, better: Better = Better.HIGHER, runs: int = 3) -> Row:
    mine, limits = [30.0, 50.0, 40.0], [100.0, 100.0, 200.0]
    return compare(
        "r",
        ours=lambda run: mine[run],
        limit=lambda run: limits[run],
        unit="1/s",
        goal=goal,
        better=better,
        runs=runs,
        how="h",
    )


def test_a_row_is_the_median_of_ratios_of_the_same_run() -> None:
    one = row()
    assert (one.ours, one.limit, one.ratio, one.runs) == (40.0, 100.0, 0.3, 3)
    assert one.spread == pytest.approx((0.5 - 0.2) / 0.3)
    assert [one.holds, row(goal=0.31).holds, row(goal=0.31, better=Better.LOWER).holds] == [True, False, True]
    assert [field.name for field in fields(Row)] == FIELDS
    with pytest.raises(TooFewRuns):
        row(runs=1)


def test_both_sides_go_first_in_turn() -> None:
    order: list[str] = []

    def mark(side: str) -> float:
        order.append(side)
        return 1.0

    compare("r", ours=lambda _: mark("ours"), limit=lambda _: mark("limit"), unit="1", goal=1, runs=4, how="")
    assert order == ["ours", "limit", "limit", "ours"] * 2


@pytest.mark.parametrize(("goal", "status"), [(0.3, 0), (0.9, 1)])
def test_the_command_prints_rows_and_its_status_says_whether_they_hold(
    monkeypatch: pytest.MonkeyPatch, goal: float, status: int
) -> None:
    monkeypatch.setattr(command, "_load", lambda _: lambda runs: [row(goal=goal)])
    app = typer.Typer()
    app.command()(command.bench)
    told = CliRunner().invoke(app, ["r", "--json"])
    assert told.exit_code == status
    assert json.loads(told.stdout) == [asdict(row(goal=goal))]
    table = CliRunner().invoke(app, ["r"])
    assert table.exit_code == status
    assert "0.300" in table.stdout


def test_an_unknown_benchmark_is_named() -> None:
    with pytest.raises(command.UnknownBench, match="ingest"):
        command._load("nothing")


@pytest.fixture(scope="module")
def services() -> Iterator[list[Service]]:
    with running_services(2) as started:
        yield started


def test_ingest_measures_a_real_service(services: list[Service]) -> None:
    """Small: that every reading arrives is checked within; the figures themselves mean nothing here."""
    service = services[0]
    with httpx.Client(base_url=service.url, timeout=60) as client:
        boxes = enrol(service.database, 2, series="FIRST")
        catching_up = upload.against_copy(service, client, boxes, 2, upload.Load(requests=1, records=2, readings=30))
        online = upload.against_verifying(service, client, boxes, 2, upload.Load(requests=1, records=9, readings=1))
    check_all_stored(service.database, boxes)
    assert [row.name for row in (catching_up, online)] == ["ingest", "ingest, online"]
    assert all(row.ours > 0 and row.limit > 0 for row in (catching_up, online))
    boxes[0].sequence += 1
    with pytest.raises(RuntimeError, match="not every reading was stored"):
        check_all_stored(service.database, boxes)


def test_an_upload_goes_on_where_a_filled_database_ends(
    services: list[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the filling leaves behind is what uploads would have left: the service takes it for its own."""
    monkeypatch.setattr(flat, "FLEET", 3)
    few, many = services
    load = upload.Load(requests=1, records=2, readings=40)
    with few.database.transaction(Role.WORKER) as session:
        before = session.connection().exec_driver_sql("SELECT count(*) FROM reading").scalar_one()
    (row,) = flat.rows(few, [(3_000, many)], 2, 2, load)
    assert (row.name, row.better) == ("ingest, 3,000 stored", Better.LOWER)
    with many.database.transaction(Role.WORKER) as session:
        store = MeteringStore(session)
        meters = [store.meter_by_serial(f"BENCH-{number}") for number in (1, 2, 3)]
        assert [len(store.steps(meter, ALL)) for meter in meters] == [1_000 + 3 * 80, 1_000 + 3 * 80, 1_000]
        for meter in meters[:2]:
            steps = store.steps(meter, ALL)
            assert [step.reading for step in steps] == [
                replace(reading(n), reason=Reason.DURING, spectrum={}) for n in range(1, 1_241)
            ]
            usage = cut(intervals(steps), meter=meter.serial)[-3:]
            assert store.usage(meter.id, Period(usage[0].period.start, ALL.end)) == usage
    with few.database.transaction(Role.WORKER) as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM reading").scalar_one() > before


def test_a_month_by_day_is_what_the_readings_say(services: list[Service]) -> None:
    """Two days about the change of clocks; the sides are compared within, and a wrong quarter hour is found."""
    zone = ZoneInfo(monthly.ZONE)
    month = Period(datetime(2026, 3, 28, 12, tzinfo=zone), datetime(2026, 3, 30, 12, tzinfo=zone))
    measured = monthly.rows(services[0], 2, fleet=2, month=month)
    assert [row.name for row in measured] == ["month of a lease", "month of 2 machines"]
    meter = meter_id("MONTH-1")
    question = monthly.Question("q", {meter: month}, OWNER)
    days = monthly.ours(services[0].database, question)[meter]
    assert [f"{day:%d}" for day in days] == ["28", "29", "30"]
    with services[0].database.transaction(Role.WORKER) as session:
        session.connection().exec_driver_sql(
            "UPDATE usage SET deltas[3] = deltas[3] + 1 WHERE meter_id = %s AND starts_at = '2026-03-29T12:00Z'",
            (meter,),
        )
    with pytest.raises(monthly.NotTheSame):
        monthly._compared(services[0].database, question)


def test_rollup_measures_equal_results_and_only_it_takes_a_size() -> None:
    """Small: that all sides give the same is checked within; the figures mean nothing here."""
    measured = list(rollup.run(2, 20_000))
    assert [row.name for row in measured][:2] == ["rollup", "rollup, pandas"]
    assert all(row.ours > 0 and row.limit > 0 for row in measured)
    app = typer.Typer()
    app.command()(command.bench)
    assert CliRunner().invoke(app, ["ingest", "--rows", "5000"]).exit_code == 2
    assert CliRunner().invoke(app, ["rollup", "--stored", "5000"]).exit_code == 2
