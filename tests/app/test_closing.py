"""Closing as operators and the scheduler do it."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from app import cli, clock
from app.database import Database, Role
from app.schedule import GRACE, close_due_periods, scheduler
from app.schedule import running as running_jobs
from app.settings import Settings
from billing.invoicing.due_store import DueStore
from billing.invoicing.store import InvoiceStore
from billing.payments.stripe_gateway import StripeGateway
from metering.period import Period
from tests.builders import JUNE, MAY, SHANGHAI, Shop, open_shop, running, seal_life
from tests.conftest import Postgres


@pytest.fixture
def shop(database: Database) -> Shop:
    """An hour of one lessee."""
    shop = open_shop(database)
    hour = Period(MAY.start, MAY.start + timedelta(hours=1))
    shop.book(shop.lease(), hour)
    shop.ingest(seal_life(shop, {quarter.start: running() for quarter in hour.quarter_hours()}, hour))
    return shop


@pytest.fixture
def _installed(database: Database, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command finds this test's database by its settings."""
    with database.transaction(Role.WORKER) as session:
        name = str(session.execute(text("SELECT current_database()")).scalar_one())
    monkeypatch.setenv("SPINDLESHARE_RUN_URL", postgres.run_url(name))
    monkeypatch.setenv("SPINDLESHARE_ZONE", SHANGHAI)


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["close", *arguments])
    return int(str(ended.value.code or 0))


@pytest.mark.usefixtures("_installed")
def test_the_command_drafts_and_issues(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--period", "2026-05", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    (draft,) = told["invoices"]
    assert (draft["status"], draft["changed"], draft["buyer"]["name"]) == ("draft", True, "Sme")
    assert command("--period", "2026-05", "--issue") == 0
    shown = capsys.readouterr().out
    assert "issued" in shown
    with shop.database.transaction(Role.WORKER) as session:
        (invoice,) = InvoiceStore(session).of_period(MAY)
    assert invoice.number
    assert invoice.number.startswith("LS20")
    assert command("--period", "2026-05", "--issue", "--json") == 0
    assert json.loads(capsys.readouterr().out)["invoices"][0]["number"] == invoice.number


@pytest.mark.usefixtures("_installed")
def test_an_unreadable_period_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--period", "May") == 3
    assert (
        capsys.readouterr().err.strip()
        == "spindleshare: 'May': write a month such as 2026-05, or 2026-05-01/2026-05-16"
    )


def test_a_month_is_closed_once_after_its_grace(shop: Shop) -> None:
    assert close_due_periods(shop.database, zone=SHANGHAI, now=MAY.end + GRACE - timedelta(seconds=1)) == []
    (closing,) = close_due_periods(shop.database, zone=SHANGHAI, now=MAY.end + GRACE)
    assert (closing.period, len(closing.changed)) == (MAY, 1)
    assert close_due_periods(shop.database, zone=SHANGHAI, now=JUNE) == []


def test_several_schedulers_close_each_due_period_once(shop: Shop) -> None:
    weeks = [Period(MAY.start + timedelta(days=7 * n), MAY.start + timedelta(days=7 * n + 7)) for n in range(4)]
    with shop.database.transaction(Role.WORKER) as session:
        for week in weeks:
            DueStore(session).plan(week, due_at=week.end)
            DueStore(session).plan(week, due_at=week.end)
    before_june = datetime(2026, 5, 30, tzinfo=UTC)
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: close_due_periods(shop.database, zone=SHANGHAI, now=before_june), range(4)))
    closed = sorted(closing.period for run in runs for closing in run if closing.period in weeks)
    assert closed == weeks


def test_a_due_period_comes_back_when_its_worker_dies(shop: Shop) -> None:
    with shop.database.transaction(Role.WORKER) as session:
        DueStore(session).plan(MAY, due_at=MAY.end)

    def dies() -> None:
        with shop.database.transaction(Role.WORKER) as session:
            assert DueStore(session).claim(now=JUNE) == MAY
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dies()
    with shop.database.transaction(Role.WORKER) as holder:
        assert DueStore(holder).claim(now=JUNE) == MAY
        with shop.database.transaction(Role.WORKER) as session:
            assert DueStore(session).claim(now=JUNE) is None


def test_the_scheduler_repairs_webhooks_where_cards_are_taken(database: Database) -> None:
    without = scheduler(database, Settings(zone=SHANGHAI), clock=lambda: JUNE)
    assert [job.id for job in without.get_jobs()] == ["close_due_periods", "tend_refusals", "tend_telemetry"]
    gateway = StripeGateway("sk_test_none", webhook_secret="whsec_none", base="http://127.0.0.1:9")
    jobs = scheduler(database, Settings(zone=SHANGHAI), clock=lambda: JUNE, gateway=gateway)
    assert [job.id for job in jobs.get_jobs()] == [
        "close_due_periods",
        "tend_refusals",
        "tend_telemetry",
        "repair_events",
    ]


def test_jobs_start_and_stop_with_their_block(database: Database) -> None:
    before = set(threading.enumerate())
    with running_jobs(database, Settings(zone=SHANGHAI), clock=clock.now):
        assert any("APScheduler" in thread.name for thread in set(threading.enumerate()) - before)
    assert not any("APScheduler" in thread.name for thread in set(threading.enumerate()) - before)
