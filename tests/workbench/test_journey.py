"""The whole path with real processes: OPC UA, agent, service, ledger, card sandbox and bank statement.

The amounts come from scenarios that were worked out by other means; the kills come from a seed.
"""

import json
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from app.database import Role
from billing.invoicing.invoice import Invoice
from metering.chain import verify
from metering.ocmf import parse
from metering.signing import public_from_pem
from metering.store import MeteringStore
from metering.usage import Usage
from workbench.demo import scenario
from workbench.demo.journey import Outcome, bill_month, meter_month
from workbench.demo.processes import free_port
from workbench.demo.stage import Plan, Stage, staged

SCENARIOS = Path(__file__).parents[1] / "scenarios"
SHARED = Path(os.environ.get("SPINDLESHARE_TEST_SHARED", Path(__file__).parents[3] / "shared"))
NIST = SHARED / "data" / "nist-mazak01-2018-05" / "Mazak01-2018-05.txt.xz"
VAT = Decimal("0.13")


@dataclass(frozen=True)
class Run:
    """What one run of the journey left in the database."""

    outcome: Outcome
    usage: list[Usage]
    registers: Mapping[str, int]
    texts: list[str]
    public_key_pem: str


def run(plan: Plan, disturbed_by: Callable[[Stage], Callable[[float], None]] | None = None) -> Run:
    with staged(plan) as stage:
        meter_month(stage, lambda fraction, line: None, disturb=disturbed_by(stage) if disturbed_by else None)
        outcome = bill_month(stage)
        with stage.database.transaction(Role.WORKER) as session:
            store, meter = MeteringStore(session), stage.invitation.meter
            usage = store.usage(meter.id, stage.month.period)
            latest = store.latest(meter.id)
            assert latest is not None
            agent = store.agent_of(meter.id)
            assert agent is not None
            texts = store.texts(meter.id, 1, latest.reading.sequence)
    return Run(outcome, usage, latest.reading.registers, texts, agent.public_key_pem)


def a_plan(folder: Path, **changes: object) -> Plan:
    given = {"folder": folder, "port": free_port(), "ends": datetime(2026, 5, 13, tzinfo=UTC), "days": 1, "live": False}
    return Plan(**{**given, **changes})  # type: ignore[arg-type]


def by_buyer(outcome: Outcome) -> dict[str, Invoice]:
    names = {scenario.FIRST.id: "first", scenario.SECOND.id: "second"}
    return {names[invoice.buyer.id]: invoice for invoice in outcome.invoices}


def assert_as_worked_out(outcome: Outcome, folder: str) -> None:
    expected = json.loads((SCENARIOS / folder / "then.json").read_text())
    for name, invoice in by_buyer(outcome).items():
        lines = {line.code: line for line in invoice.lines}
        base = Decimal(expected[name]["base"])
        assert lines.pop("base").amount.decimal == base
        found = {
            code: {"quantity": f"{line.quantity:f}", "price": f"{line.price:f}", "amount": f"{line.amount.decimal:f}"}
            for code, line in lines.items()
        }
        assert found == expected[name]["lines"]
        net = base + sum(Decimal(line["amount"]) for line in expected[name]["lines"].values())
        assert invoice.net.decimal == net
        assert invoice.total.decimal == net + (net * VAT).quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert len(outcome.outside) == expected["outside any booking"]["quarter_hours_with_a_program"]


def assert_settled(outcome: Outcome) -> None:
    assert [invoice.number for invoice in outcome.invoices] == sorted({i.number for i in outcome.invoices})
    assert outcome.paid == {invoice.id: invoice.total for invoice in outcome.invoices}
    assert sum(row.amount.minor for row in outcome.balance) == 0
    assert all(invoice.replayed for invoice in outcome.invoices)


def test_a_day_of_our_own_recording_ends_as_two_paid_invoices(tmp_path: Path) -> None:
    done = run(a_plan(tmp_path))
    assert_as_worked_out(done.outcome, "given_a_day_of_the_model")
    assert_settled(done.outcome)


@pytest.mark.slow
def test_a_busy_day_of_a_real_machine_ends_as_two_paid_invoices(tmp_path: Path) -> None:
    if not NIST.exists():
        pytest.skip(f"{NIST.name} is not here: its copy lies beside the project where there is one")
    done = run(a_plan(tmp_path, recording=NIST, day="2018-05-29"))
    assert_as_worked_out(done.outcome, "given_a_busy_day_of_a_mazak")
    assert_settled(done.outcome)


@pytest.mark.slow
def test_an_agent_killed_on_the_way_leaves_the_same_month(tmp_path: Path) -> None:
    """Registers and quarter hours to the unit, an unbroken chain, the same invoice to the cent."""
    seed = 20260512
    points = sorted(random.Random(seed).uniform(0.02, 0.9) for _ in range(4))
    killed: list[float] = []

    def killer(stage: Stage) -> Callable[[float], None]:
        def disturb(fraction: float) -> None:
            if len(killed) < len(points) and fraction >= points[len(killed)]:
                stage.processes.kill("agent")
                killed.append(fraction)
                stage.start_agent()

        return disturb

    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    whole = run(a_plan(tmp_path / "whole", days=14))
    broken = run(a_plan(tmp_path / "killed", days=14), killer)
    assert len(killed) == len(points), f"seed {seed}: killed at {killed}, wanted {points}"
    assert broken.registers == whole.registers
    assert [(row.period, row.deltas, row.spectrum) for row in broken.usage] == [
        (row.period, row.deltas, row.spectrum) for row in whole.usage
    ]
    assert amounts(broken.outcome) == amounts(whole.outcome)
    assert verify(map(parse, broken.texts), public_from_pem(broken.public_key_pem)) == []


def amounts(outcome: Outcome) -> list[tuple[str, str]]:
    return [(line.code, line.precise) for invoice in outcome.invoices for line in invoice.lines] + [
        (str(invoice.number), str(invoice.total)) for invoice in outcome.invoices
    ]
