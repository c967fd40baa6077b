"""A running service with a small market: a maker with a leased machine, two lessees, a finance team, an outsider.

Everything goes the product's own way: readings are sealed and ingested, periods closed, invoices issued.
"""

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self
from uuid import UUID

import httpx

from app import clock, closing
from app.database import Database, Role
from app.main import create_app
from app.server import Server
from app.settings import Settings
from billing.capacity.book import book
from billing.capacity.lease import Lease
from billing.capacity.store import LeasingStore
from billing.invoicing.invoice import Invoice
from metering.components.file import EXAMPLE, read_components
from metering.components.record import Teller, set_component
from metering.components.store import ComponentStore
from metering.parties.party import Organisation, UserAccount, UserRole, user_id
from metering.parties.password import hash_password
from metering.parties.store import PartyStore
from metering.period import QUARTER_HOUR, Period, quarter_start
from metering.store import MeteringStore
from tests.builders import BEFORE_MAY, Shop, add_organisation, open_shop, running, seal_life

PASSWORD = "correct-horse"
_TOKEN = re.compile(r'name="_csrf_token"\s+value="([^"]+)"')
_STAND_UP_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Site:
    """The service's address, and what is in it."""

    base: str
    database: Database
    shop: Shop
    lease: Lease
    other_lease: Lease
    outsider: Organisation
    draft: Invoice
    issued: Invoice

    def person(self, name: str) -> "Person":
        """Somebody who is signed in: maker, sme, other (the second lessee), finance, outsider, outsider-finance."""
        return Person(self.base, address_of(name))

    def invoice(self, invoice_id: UUID) -> Invoice:
        from billing.invoicing.store import InvoiceStore

        with self.database.transaction(Role.WORKER) as session:
            return InvoiceStore(session).get(invoice_id)


class Person(httpx.Client):
    """A browser without scripts."""

    def __init__(self, base: str, email: str, password: str = PASSWORD) -> None:
        super().__init__(base_url=base, timeout=30)
        self._email, self._password = email, password

    def __enter__(self) -> Self:
        super().__enter__()
        self.token = form_token(self.get("/sign-in").text)
        self.signed_in = self.submit("/sign-in", {"email": self._email, "password": self._password})
        return self

    def submit(self, path: str, fields: dict[str, str] | None = None) -> httpx.Response:
        """Send a form as the page would."""
        return self.post(path, data={**(fields or {}), "_csrf_token": self.token})


def form_token(page: str) -> str:
    found = _TOKEN.search(page)
    assert found, page
    return found[1]


def address_of(name: str) -> str:
    return f"{name}@example.org"


@contextmanager
def open_site(database: Database, folder: Path, **settings: object) -> Iterator[Site]:
    """Fill `database` and serve it until the end of the block."""
    values: dict[str, object] = {"data_folder": folder, "run_url": "postgresql://unused", "schedule": False, **settings}
    filled = _fill(database)
    with served(Settings(**values), database) as base:  # type: ignore[arg-type]
        yield Site(base, database, *filled)


@contextmanager
def served(settings: Settings, database: Database, *, port: int = 0) -> Iterator[str]:
    """The service over real HTTP, on a free port unless one is given; gives its address."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    base = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = Server(create_app(settings.model_copy(update={"public_url": base}), database=database))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    deadline = time.monotonic() + _STAND_UP_SECONDS
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.started
    try:
        yield base
    finally:
        server.should_exit = True
        thread.join(_STAND_UP_SECONDS)
        assert not thread.is_alive(), "the server did not stop"


def _fill(database: Database) -> tuple[Shop, Lease, Lease, Organisation, Invoice, Invoice]:
    """Two days of use that ended just now: each lessee had one, some use lies between them, the first is billed."""
    shop = open_shop(database)
    other, outsider = add_organisation(shop, "other"), add_organisation(shop, "outsider")
    _people(database, shop, other, outsider)
    now = quarter_start(clock.now())
    start = now - timedelta(days=2)
    lease, other_lease = shop.lease(), shop.lease(other)
    first, second = Period(start, start + timedelta(hours=20)), Period(start + timedelta(hours=26), now)
    for held, slot in ((lease, first), (other_lease, second), (lease, Period(now, now + timedelta(hours=4)))):
        with database.transaction(Role.WORKER) as session:
            done = book(
                shop.listing,
                held.lessee_id,
                slot,
                lease=held,
                leasing=LeasingStore(session),
                metering=MeteringStore(session),
                now=BEFORE_MAY,
            )
            assert not hasattr(done, "reason"), done
    shop.ingest(seal_life(shop, dict.fromkeys(_worked(start, now), running()), Period(start, now)), now=clock.now())
    with database.transaction(Role.WORKER) as session:
        teller = Teller(MeteringStore(session).machine(shop.meter.machine_id), "maker", clock.now())
        for each in read_components(EXAMPLE.read_bytes()):
            set_component(each, teller=teller, store=ComponentStore(session))
    drafts = closing.close(database, Period(start, start + timedelta(days=1)), now=clock.now()).invoices
    mine = next(draft for draft in drafts if draft.buyer.id == shop.sme.id)
    (issued,) = closing.issue(database, [mine.id], now=clock.now())
    later = closing.close(database, Period(start + timedelta(days=1), now), now=clock.now()).invoices
    draft = next(draft for draft in later if draft.buyer.id == other.id)
    return shop, lease, other_lease, outsider, draft, issued


def _worked(start: datetime, end: datetime) -> Iterator[datetime]:
    """The quarter hours in which the machine worked: six of the hours between, two of them when nobody had booked."""
    for hour in (2, 5, 9, 22, 23, 30, 36, 44):
        moment = start + timedelta(hours=hour)
        for quarter in range(3):
            if moment + quarter * QUARTER_HOUR < end:
                yield moment + quarter * QUARTER_HOUR


def _people(database: Database, shop: Shop, other: Organisation, outsider: Organisation) -> None:
    hashed = hash_password(PASSWORD)
    people = (
        ("maker", shop.maker, UserRole.MAKER),
        ("finance", shop.maker, UserRole.FINANCE),
        ("sme", shop.sme, UserRole.SME),
        ("other", other, UserRole.SME),
        ("outsider", outsider, UserRole.SME),
        ("outsider-maker", outsider, UserRole.MAKER),
        ("outsider-finance", outsider, UserRole.FINANCE),
    )
    with database.transaction(Role.WORKER) as session:
        for name, organisation, role in people:
            email = address_of(name)
            user = UserAccount(
                id=user_id(email),
                organisation_id=organisation.id,
                email=email,
                name=name.title(),
                role=role,
                password_hash=hashed,
            )
            PartyStore(session).add_user(user, now=BEFORE_MAY)
