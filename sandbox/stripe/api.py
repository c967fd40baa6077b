"""One API request from its bytes to its answer: key, version, fault, idempotency, work."""

import hmac
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.stripe import faults, idempotency
from sandbox.stripe.answers import expanded, page
from sandbox.stripe.call import API_VERSION, Call
from sandbox.stripe.forms import decode
from sandbox.stripe.idempotency import Answer
from sandbox.stripe.problem import StripeProblem, invalid
from sandbox.stripe.routes import Operation, find
from sandbox.stripe.shelf import Shelf, new_id


@dataclass(frozen=True, slots=True)
class Request:
    """What came over HTTP; `path` is below /v1, `form` the query of a GET and the body of a POST."""

    method: str
    path: str
    form: str
    headers: Mapping[str, str]
    base: str


def answer(request: Request, shelf: Shelf, api_key: str) -> tuple[Answer, dict[str, str]]:
    """The answer with its headers; whatever goes wrong is an answer too."""
    headers = {"Request-Id": new_id("req"), "Stripe-Version": API_VERSION}
    key = request.headers.get("idempotency-key") if request.method == "POST" else None
    if key:
        headers["Idempotency-Key"] = key
    try:
        _authorise(request, api_key)
        given = _guarded(request, shelf, headers["Request-Id"], key)
    except StripeProblem as problem:
        return Answer(problem.status, problem.body), headers | problem.headers
    if given.replayed:
        headers["Idempotent-Replayed"] = "true"
    return given, headers


def _authorise(request: Request, api_key: str) -> None:
    given = _key_of(request.headers.get("authorization", ""))
    if not given:
        raise invalid("You did not provide an API key. Send it as 'Authorization: Bearer YOUR_SECRET_KEY'.", status=401)
    if not hmac.compare_digest(given.encode(), api_key.encode()):
        raise invalid(f"Invalid API Key provided: {given[:7]}****{given[-4:]}", status=401)
    version = request.headers.get("stripe-version", API_VERSION)
    if version != API_VERSION:
        raise invalid(f"Invalid Stripe API version: {version}; this stand-in speaks {API_VERSION}.")


def _key_of(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "basic":
        try:
            return b64decode(value).decode().partition(":")[0]
        except ValueError:
            return ""
    return value.strip() if scheme.lower() == "bearer" else ""


def _guarded(request: Request, shelf: Shelf, request_id: str, key: str | None) -> Answer:
    """The work with a fault before or after it."""
    with shelf.change():
        fault = faults.take(shelf, f"/v1/{request.path}")
    if fault is not None and not fault.after_work:
        raise faults.problem(fault)
    operation, ids = find(request.method, request.path)
    text = idempotency.request_text(request.method, request.path, request.form)
    with shelf.change():
        done = idempotency.remembered(shelf, key, text)
        if done is None:
            call = Call(shelf, request.base, operation.checked(decode(request.form)), ids, request_id, key)
            done = _work(operation, call, request.path)
            idempotency.remember(shelf, key, text, done)
    if fault is not None:
        raise faults.problem(fault)
    return done


def _work(operation: Operation, call: Call, path: str) -> Answer:
    """Run the operation. A problem is an answer too; only a declined card leaves traces, the charge and its events."""
    call.shelf.database.execute("savepoint work")
    try:
        result: Any = operation.run(call)
        if isinstance(result, list):
            result = page(result, call.params, f"/v1/{path}")
        return Answer(200, expanded(result, call.params.get("expand", []), call.shelf))
    except StripeProblem as problem:
        if problem.status != 402:
            call.shelf.database.execute("rollback to work")
        return Answer(problem.status, problem.body)
