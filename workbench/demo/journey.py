"""The demo's way: replay metered to the end, period closed, invoices released, one paid by card, one by bank.

What people do they do over HTTP, at the pages; what is read for the summary is read from the database.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import httpx

from app.clock import now
from app.database import Role
from billing.accounting.period_close import Balance
from billing.accounting.store import LedgerStore
from billing.capacity.attribution import attribute
from billing.capacity.store import LeasingStore
from billing.invoicing.invoice import Invoice, PaymentState, Status, payment_state
from billing.invoicing.store import InvoiceStore
from billing.money import Money
from billing.payments.store import PaymentStore
from machine_agents.crosscheck import CrossCheck, cross_check, growth
from metering.period import Period
from metering.store import MeteringStore
from metering.usage import Usage
from sandbox.bank import Line, statement
from workbench.demo import scenario
from workbench.demo.person import Person
from workbench.demo.processes import DemoFailed
from workbench.demo.stage import Stage

STALLED_SECONDS = 60
PAID_SECONDS = 30
_CARD = {"card_number": "4242424242424242", "expiry": "12/40", "cvc": "123"}
_POLL_SECONDS = 0.05

Progress = Callable[[float, str], None]
"""Told how far the replay is, from 0 to 1, and a line about it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the journey gave, for the summary and for tests."""

    invoices: tuple[Invoice, ...]
    paid: dict[UUID, Money]
    outside: tuple[Usage, ...]
    cross_check: CrossCheck
    readings: int
    balance: tuple[Balance, ...]
    files: tuple[Path, ...]


def meter_month(stage: Stage, progress: Progress, *, disturb: Callable[[float], None] | None = None) -> None:
    """Run the agent until the service has verified and stored every quarter hour of the month.

    `disturb` is called with the fraction stored so far, for tests that break things on the way.
    """
    stage.start_agent()
    changed, before = time.monotonic(), None
    while True:
        stage.processes.check()
        reached = _reached(stage)
        fraction = _fraction(stage.month.period, reached)
        progress(fraction, _line(stage.simulator_status(), reached))
        if fraction >= 1:
            return
        if disturb:
            disturb(fraction)
        if reached != before:
            changed, before = time.monotonic(), reached
        elif time.monotonic() - changed > STALLED_SECONDS:
            raise DemoFailed(f"nothing has moved for {STALLED_SECONDS} s; see {stage.processes.log('agent')}")
        time.sleep(_POLL_SECONDS)


def bill_month(stage: Stage) -> Outcome:
    """Close the month, release both invoices, write their documents, have both paid, and read the result."""
    _close_and_release(stage)
    first, second = _issued(stage)
    files = _write_documents(stage, (first, second))
    _pay_by_card(stage, first)
    files = (*files, _pay_by_bank(stage, second))
    return _outcome(stage, files)


def _reached(stage: Stage) -> datetime | None:
    with stage.database.transaction(Role.WORKER) as session:
        latest = MeteringStore(session).latest(stage.invitation.meter.id)
    return latest.reading.device_time if latest else None


def _fraction(period: Period, reached: datetime | None) -> float:
    return min(max((reached - period.start) / period.length, 0.0), 1.0) if reached else 0.0


def _line(played: dict[str, object], reached: datetime | None) -> str:
    if not reached:
        return "waiting for the agent's first reading"
    return f"{played.get('recorded')} values played, sealed and stored up to {reached:%d %b %H:%M} UTC"


def _close_and_release(stage: Stage) -> None:
    period = stage.month.period
    with Person(stage.base, scenario.FINANCE_LOGIN.email, scenario.PASSWORD) as finance:
        finance.send("/finance/close", {"start": period.start.isoformat(), "end": period.end.isoformat()})
    drafts = [invoice for invoice in _invoices(stage) if invoice.status is Status.DRAFT]
    if len(drafts) != 2:
        raise DemoFailed(f"closing drafted {len(drafts)} invoices instead of 2; see the log of the service")
    by_start = sorted(drafts, key=lambda draft: draft.buyer.id != scenario.FIRST.id)
    with Person(stage.base, scenario.MAKER_LOGIN.email, scenario.PASSWORD) as maker:
        for draft in by_start:
            maker.send(f"/invoices/{draft.id}/release")


def _invoices(stage: Stage) -> list[Invoice]:
    with stage.database.transaction(Role.WORKER) as session:
        return InvoiceStore(session).of_period(stage.month.period)


def _issued(stage: Stage) -> list[Invoice]:
    return sorted(_invoices(stage), key=lambda invoice: invoice.number or "")


def _write_documents(stage: Stage, invoices: tuple[Invoice, ...]) -> tuple[Path, ...]:
    stage.documents.mkdir(parents=True, exist_ok=True)
    keys = stage.documents / "keys.json"
    keys.write_bytes(httpx.get(f"{stage.base}/api/keys").raise_for_status().content)
    written = [keys]
    with Person(stage.base, scenario.FINANCE_LOGIN.email, scenario.PASSWORD) as finance:
        for invoice in invoices:
            for path, suffix in (("document.pdf", ".pdf"), ("evidence.zip", "-evidence.zip")):
                file = stage.documents / f"{invoice.number}{suffix}"
                file.write_bytes(finance.download(f"/invoices/{invoice.id}/{path}"))
                written.append(file)
    return tuple(written)


def _pay_by_card(stage: Stage, invoice: Invoice) -> None:
    """The lessee is led to the card page and types a card; the payment comes back as a signed webhook."""
    with Person(stage.base, scenario.FIRST_LOGIN.email, scenario.PASSWORD) as lessee:
        checkout = lessee.send(f"/invoices/{invoice.id}/pay")
    answer = httpx.post(checkout, data=_CARD, timeout=30)
    if answer.status_code != 303:
        text = re.sub(r"<[^>]+>|\s+", " ", answer.text)[:200]
        raise DemoFailed(f"the card page answered {answer.status_code}: {text}")
    deadline = time.monotonic() + PAID_SECONDS
    while _state(stage, invoice) is not PaymentState.PAID:
        stage.processes.check()
        if time.monotonic() > deadline:
            raise DemoFailed(f"no webhook marked {invoice.number} as paid within {PAID_SECONDS} s")
        time.sleep(_POLL_SECONDS)


def _pay_by_bank(stage: Stage, invoice: Invoice) -> Path:
    """The bank's statement has the transfer with the invoice's reference, and a line that fits nothing."""
    day = now().date()
    lines = [
        Line(invoice.total.decimal, invoice.buyer.name, reference=invoice.reference or ""),
        Line(Decimal("-15.00"), "Bank", "account fee"),
    ]
    content = statement(lines, account=scenario.MAKER.iban, day=day, currency=invoice.currency)
    file = stage.documents / f"statement-{day:%Y-%m-%d}.camt053.xml"
    file.write_bytes(content)
    with Person(stage.base, scenario.FINANCE_LOGIN.email, scenario.PASSWORD) as finance:
        finance.upload("/finance/statements", "statement", content, "application/xml")
    if _state(stage, invoice) is not PaymentState.PAID:
        raise DemoFailed(f"the bank line with reference {invoice.reference} did not match {invoice.number}")
    return file


def _state(stage: Stage, invoice: Invoice) -> PaymentState:
    with stage.database.transaction(Role.WORKER) as session:
        return payment_state(invoice.total, PaymentStore(session).allocated([invoice.id])[invoice.id])


def _outcome(stage: Stage, files: tuple[Path, ...]) -> Outcome:
    invoices = tuple(_issued(stage))
    period, meter = stage.month.period, stage.invitation.meter
    with stage.database.transaction(Role.WORKER) as session:
        metering, payments = MeteringStore(session), PaymentStore(session)
        usage = metering.usage(meter.id, period)
        bookings = LeasingStore(session).bookings_of_machine(meter.machine_id, period)
        return Outcome(
            invoices=invoices,
            paid=payments.allocated([invoice.id for invoice in invoices]),
            outside=attribute(usage, bookings).outside,
            cross_check=_cross_check(metering, meter.id, period),
            readings=sum(1 for _ in metering.steps(metering.meter(meter.id), period)),
            balance=tuple(LedgerStore(session).trial_balance(scenario.MAKER.id)),
            files=files,
        )


def _cross_check(metering: MeteringStore, meter_id: UUID, period: Period) -> CrossCheck:
    readings = [step.reading for step in metering.steps(metering.meter(meter_id), period)]
    return cross_check(growth(readings[-1].registers, readings[0].registers))
