"""Idempotency keys: the first answer is given again, other parameters under the same key are refused.

As at Stripe, a key is remembered for a day, errors of the work itself are remembered too, and a request refused for its
parameters leaves no trace.
"""

import json
from dataclasses import dataclass
from typing import Any

from sandbox.stripe.problem import StripeProblem
from sandbox.stripe.shelf import Shelf

_REMEMBERED_SECONDS = 86_400
_LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class Answer:
    """A status with a JSON body; `replayed` when it was given before."""

    status: int
    body: dict[str, Any]
    replayed: bool = False


def remembered(shelf: Shelf, key: str | None, request: str) -> Answer | None:
    """The answer first given under `key`, if any. Raises StripeProblem when `request` is another one."""
    if key is None:
        return None
    if len(key) > _LONGEST_KEY:
        raise StripeProblem(400, "idempotency_error", "Idempotency keys are at most 255 characters long.")
    row = shelf.database.execute(
        "select request, status, body from answer where key = ? and at > ?", (key, shelf.now() - _REMEMBERED_SECONDS)
    ).fetchone()
    if row is None:
        return None
    if row[0] != request:
        raise _conflict(key, row[0].splitlines()[0] != request.splitlines()[0])
    return Answer(row[1], json.loads(row[2]), replayed=True)


def remember(shelf: Shelf, key: str | None, request: str, answer: Answer) -> None:
    """Keep `answer` for the next request under `key`."""
    if key is not None:
        shelf.database.execute(
            "insert or replace into answer values (?, ?, ?, ?, ?)",
            (key, request, answer.status, json.dumps(answer.body), shelf.now()),
        )


def request_text(method: str, path: str, body: str) -> str:
    """What makes two requests the same: the address on the first line, the parameters in order below."""
    return "\n".join([f"{method} {path}", *sorted(body.split("&"))])


def _conflict(key: str, elsewhere: bool) -> StripeProblem:
    same = "endpoint" if elsewhere else "parameters"
    return StripeProblem(
        400,
        "idempotency_error",
        f"Keys for idempotent requests can only be used with the same {same} they were first used with. "
        f"Try using a key other than '{key}' if you meant to execute a different request.",
    )
