"""Issued invoices of a real database, and the service's payment API over real HTTP beside the Stripe stand-in."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import pytest
import uvicorn
from litestar import Litestar
from litestar.datastructures import State

from app import problems
from app.api import stripe_events
from app.closing import issue
from app.database import Database, Role
from billing.accounting.store import LedgerStore
from billing.capacity.lease import Lease
from billing.invoicing.invoice import Invoice, Party, PaymentState, Status, Terms, payment_state
from billing.invoicing.line import InvoiceLine
from billing.invoicing.store import InvoiceStore
from billing.money import Money
from billing.payments.store import PaymentStore
from billing.payments.stripe_gateway import StripeGateway
from metering.period import Period
from sandbox.bank import Line, statement
from tests.builders import JUNE, MAY, Shop, open_shop
from tests.stripe_sandbox import KEY, SECRET, running_sandbox

DAY = date(2026, 6, 3)
ACCOUNT = "DE02120300000000202051"


@dataclass(frozen=True)
class Desk:
    """A maker's books: issued invoices, and what the tests ask about them."""

    shop: Shop
    lease: Lease

    @property
    def database(self) -> Database:
        return self.shop.database

    def issue(self, total: str, days: int = 0) -> Invoice:
        """An issued invoice over `total` CNY; `days` tells invoices of the same lease apart."""
        start = MAY.start + timedelta(days=days)
        net = (Decimal(total) / Decimal("1.13")).quantize(Decimal("0.01"))
        amounts = (("wear", net, "S", "0.13"), ("tax exempt rest", Decimal(total) - net - _tax(net), "Z", "0"))
        lines = tuple(
            InvoiceLine(
                code, code, "lease_variable", None, "", None, str(amount), Money.of(amount, "CNY"), vat, Decimal(rate)
            )
            for code, amount, vat, rate in amounts
            if amount
        )
        draft = Invoice(
            lease=self.lease.id,
            period=Period(start, start + timedelta(days=1)),
            ordinal=0,
            status=Status.REVIEW,
            seller=Party(self.shop.maker.id, self.shop.maker.name, zone=self.shop.maker.zone),
            buyer=Party(self.shop.sme.id, self.shop.sme.name),
            currency="CNY",
            lines=lines,
            terms=Terms("worked", 1, "ab" * 32, "line", "Mill-turn 1", self.shop.listing.zone),
        )
        with self.database.transaction(Role.WORKER) as session:
            InvoiceStore(session).save(draft, now=JUNE)
        (issued,) = issue(self.database, [draft.id], now=JUNE)
        assert issued.total == Money.of(total, "CNY")
        return issued

    def books(self) -> dict[str, str]:
        """The accounts that are not zero; and that all of them are, together."""
        with self.database.transaction(Role.WORKER) as session:
            balances = LedgerStore(session).trial_balance()
        assert sum(balance.amount.minor for balance in balances) == 0
        return {each.account: str(each.amount.decimal) for each in balances if each.amount}

    def state(self, invoice: Invoice) -> PaymentState:
        with self.database.transaction(Role.WORKER) as session:
            return payment_state(invoice.total, PaymentStore(session).allocated([invoice.id])[invoice.id])

    def statement(self, *lines: Line, **more: object) -> bytes:
        return statement(lines, **({"account": ACCOUNT, "day": DAY, "currency": "CNY"} | more))  # type: ignore[arg-type]


def _tax(net: Decimal) -> Decimal:
    return Money.of(net * Decimal("0.13"), "CNY").decimal


@pytest.fixture
def desk(database: Database) -> Desk:
    shop = open_shop(database)
    return Desk(shop, shop.lease())


@dataclass(frozen=True)
class Till:
    """The service's payment API and the stand-in, talking to each other over HTTP."""

    desk: Desk
    stripe: str
    url: str
    gateway: StripeGateway

    def wait_until_paid(self, invoice: Invoice, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while self.desk.state(invoice) is not PaymentState.PAID:
            assert time.monotonic() < deadline, "the webhook did not come"
            time.sleep(0.05)


@contextmanager
def open_till(desk: Desk, *arguments: str) -> Iterator[Till]:
    """A till whose stand-in delivers as `arguments` say."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/api/stripe/events"
    with running_sandbox("--webhook", url, *arguments) as address:
        gateway = StripeGateway(KEY, webhook_secret=SECRET, base=address)
        state = State({"database": desk.database, "gateway": gateway})
        handlers = problems.exception_handlers()
        app = Litestar(stripe_events.route_handlers, state=state, exception_handlers=handlers)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield Till(desk, address, url, gateway)
        finally:
            server.should_exit = True
            thread.join(30)


@pytest.fixture
def till(desk: Desk) -> Iterator[Till]:
    with open_till(desk) as opened:
        yield opened
