import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import stripe

from tests.stripe_sandbox import KEY, running_sandbox


class Receiver:
    """A webhook receiver over real HTTP: keeps what comes, answers `answers` in turn and 200 after that."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.answers: list[int] = []
        self.arrived = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                with receiver.arrived:
                    receiver.seen.append((body, self.headers["Stripe-Signature"]))
                    status = receiver.answers.pop(0) if receiver.answers else 200
                    receiver.arrived.notify_all()
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def wait_for(self, count: int, seconds: float = 15) -> list[tuple[str, str]]:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.seen) >= count, seconds), f"only {len(self.seen)} came"
            return list(self.seen)

    def close(self) -> None:
        self._server.shutdown()


STRIPE_KEY = os.environ.get("STRIPE_TEST_KEY", "")
TARGETS = ["sandbox", *(["stripe"] if STRIPE_KEY.startswith("sk_test_") else [])]


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    with running_sandbox() as url:
        yield url


@pytest.fixture(scope="session", params=TARGETS)
def client(request: pytest.FixtureRequest) -> stripe.StripeClient:
    """The SDK's client, against the stand-in, and against Stripe itself where a test key is given."""
    if request.param == "sandbox":
        return stripe.StripeClient(KEY, base_addresses={"api": request.getfixturevalue("address")})
    return stripe.StripeClient(STRIPE_KEY)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def sandbox_only(address: str) -> stripe.StripeClient:
    return stripe.StripeClient(KEY, base_addresses={"api": address}, max_network_retries=0)
