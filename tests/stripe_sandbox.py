"""The Stripe stand-in as a process of its own, for the tests that talk to it over HTTP."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import stripe

KEY = "sk_test_contract"
SECRET = "whsec_contract"
_ROOT = Path(__file__).parents[1]


@contextmanager
def running_sandbox(*arguments: str) -> Iterator[str]:
    """The stand-in on a free port; gives its address."""
    command = [sys.executable, "-m", "sandbox.stripe", "--port", "0", "--key", KEY, "--secret", SECRET, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "ready at" in line, line
        yield line.split()[-1]
    finally:
        process.terminate()
        process.wait(30)


def sdk(address: str, *, retries: int = 0) -> stripe.StripeClient:
    """The SDK's client of a stand-in."""
    return stripe.StripeClient(KEY, base_addresses={"api": address}, max_network_retries=retries)


def tell(address: str, handle: str, **values: object) -> None:
    """Use one of the stand-in's handles."""
    httpx.post(f"{address}/sandbox/{handle}", json=values).raise_for_status()


def pay_page(url: str, card: str = "4242424242424242") -> httpx.Response:
    """Type a card on a checkout page."""
    return httpx.post(url, data={"card_number": card, "expiry": "12/34", "cvc": "123"})
