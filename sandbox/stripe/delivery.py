"""Webhooks going out: signed as Stripe signs them, tried again until the receiver says 2xx."""

import hashlib
import hmac
import json
import threading
import time
from dataclasses import dataclass

import httpx

from sandbox.stripe.checkout_sessions import expire_all_due
from sandbox.stripe.shelf import Object, Shelf

_ATTEMPTS = 12
_FIRST_RETRY_SECONDS = 0.25
_LONGEST_RETRY_SECONDS = 30.0
_TICK_SECONDS = 0.05
_TIMEOUT_SECONDS = 20.0


def signature(payload: str, secret: str, at: int) -> str:
    """The Stripe-Signature header: HMAC-SHA256 of time and payload."""
    mac = hmac.new(secret.encode(), f"{at}.{payload}".encode(), hashlib.sha256).hexdigest()
    return f"t={at},v1={mac}"


@dataclass(frozen=True, slots=True)
class Due:
    """One delivery whose time has come."""

    number: int
    attempt: int
    event: Object
    url: str
    secret: str


class Deliverer:
    """A thread that sends what is due, one after the other, until stopped."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="deliverer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop after the delivery under way."""
        self._stop.set()
        self._thread.join(_TIMEOUT_SECONDS + 1)

    def _run(self) -> None:
        with httpx.Client(timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
            while not self._stop.wait(_TICK_SECONDS):
                with self._shelf.change():
                    expire_all_due(self._shelf)
                for due in self._due():
                    self._deliver(due, client)

    def _due(self) -> list[Due]:
        with self._shelf.change() as shelf:
            rows = shelf.database.execute(
                "select number, attempt, event, endpoint from delivery where state = 'waiting' and due <= ? "
                "order by due, number",
                (time.time(),),
            ).fetchall()
            return [due for row in rows if (due := _load(shelf, *row))]

    def _deliver(self, due: Due, client: httpx.Client) -> None:
        payload = json.dumps(due.event, indent=2)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://docs.stripe.com/webhooks)",
            "Stripe-Signature": signature(payload, due.secret, int(time.time())),
        }
        try:
            status = client.post(due.url, content=payload, headers=headers).status_code
            note = f"HTTP {status}"
        except httpx.HTTPError as error:
            status, note = 0, type(error).__name__
        with self._shelf.change() as shelf:
            _record(shelf, due, 200 <= status < 300, note)


def _load(shelf: Shelf, number: int, attempt: int, event_id: str, endpoint_id: str) -> Due | None:
    event, endpoint = shelf.find(event_id), shelf.find(endpoint_id)
    if event is None or endpoint is None:
        shelf.database.execute("update delivery set state = 'dropped' where number = ?", (number,))
        return None
    return Due(number, attempt, event, endpoint["url"], str(shelf.setting(f"secret/{endpoint_id}", "")))


def _record(shelf: Shelf, due: Due, delivered: bool, note: str) -> None:
    attempt = due.attempt + 1
    state = "delivered" if delivered else "waiting" if attempt < _ATTEMPTS else "failed"
    wait = min(_FIRST_RETRY_SECONDS * 2**due.attempt, _LONGEST_RETRY_SECONDS)
    shelf.database.execute(
        "update delivery set state = ?, attempt = ?, note = ?, due = ? where number = ?",
        (state, attempt, note, time.time() + wait, due.number),
    )
    event = shelf.find(due.event["id"])
    if delivered and event is not None:
        event["pending_webhooks"] = max(0, event["pending_webhooks"] - 1)
        shelf.put(event)
