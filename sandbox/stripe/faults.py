"""Faults on demand: the next requests to an address answer 429 or 5xx, before the work or after it."""

from dataclasses import asdict, dataclass
from typing import Any

from sandbox.stripe.problem import StripeProblem, invalid
from sandbox.stripe.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Fault:
    """Answer `status` to the next `times` requests whose path starts with `path`.

    With `after_work` the work is done and its answer remembered under the idempotency key, but the caller gets the
    fault instead: what a connection that breaks at the worst moment looks like.
    """

    status: int = 500
    times: int = 1
    path: str = ""
    after_work: bool = False


def set_fault(shelf: Shelf, values: dict[str, Any]) -> None:
    """Put a fault in force. Raises StripeProblem when it makes no sense."""
    unknown = values.keys() - set(Fault.__dataclass_fields__)
    if unknown:
        raise invalid(f"A fault has status, times, path and after_work, not {', '.join(sorted(unknown))}.")
    fault = Fault(**values)
    if fault.status not in (429, 500, 502, 503) or fault.times < 0:
        raise invalid("A fault's status is 429, 500, 502 or 503; times counts requests from 0.")
    shelf.set("fault", asdict(fault))


def take(shelf: Shelf, path: str) -> Fault | None:
    """The fault that this request meets, counted down; None when there is none for it."""
    fault = Fault(**shelf.setting("fault", {"times": 0}))
    if fault.times < 1 or not path.startswith(fault.path):
        return None
    shelf.set("fault", asdict(fault) | {"times": fault.times - 1})
    return fault


def problem(fault: Fault) -> StripeProblem:
    """What the caller gets."""
    if fault.status == 429:
        message = "Request rate limit exceeded. Learn more about rate limits here https://docs.stripe.com/rate-limits."
        return StripeProblem(429, "invalid_request_error", message, code="rate_limit")
    made = StripeProblem(fault.status, "api_error", "An unknown error occurred.")
    made.headers["Stripe-Should-Retry"] = "true"
    return made
