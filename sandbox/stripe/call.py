"""What an operation gets: the request as checked, and the shelf to work on."""

import copy
from dataclasses import dataclass, field
from typing import Any

from sandbox.stripe.delivery_plan import queue
from sandbox.stripe.problem import missing
from sandbox.stripe.shelf import Object, Shelf, new_id

API_VERSION = "2026-10-28.endive"


@dataclass(slots=True)
class Call:
    """One request: `ids` from its path, `params` checked against the SDK's types, `base` our own address."""

    shelf: Shelf
    base: str
    params: dict[str, Any] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    request_id: str | None = None
    idempotency_key: str | None = None

    def load(self, kind: str, name: str = "id") -> Object:
        """The object that the path names. Raises StripeProblem 404."""
        found = self.shelf.find(self.ids[name], kind)
        if found is None:
            raise missing(kind, self.ids[name], param=name)
        return found

    def named(self, kind: str, param: str) -> Object | None:
        """The object that a parameter names, None when it is not given. Raises StripeProblem 400."""
        identifier = self.params.get(param)
        if identifier is None:
            return None
        found = self.shelf.find(identifier, kind)
        if found is None:
            raise missing(kind, identifier, param=param, status=400)
        return found

    def emit(self, kind: str, thing: Object) -> None:
        """Tell what happened: an event with a copy of the object as it is now, queued for the webhook endpoints."""
        event = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.shelf.now(),
            "data": {"object": copy.deepcopy(thing)},
            "livemode": False,
            "pending_webhooks": 0,
            "request": {"id": self.request_id, "idempotency_key": self.idempotency_key},
            "type": kind,
        }
        event["pending_webhooks"] = queue(self.shelf, event)
        self.shelf.put(event)


def merged_metadata(old: dict[str, str], new: Any) -> dict[str, str]:
    """Metadata after an update: an empty value unsets a key, an empty whole unsets them all."""
    if new is None:
        return old
    if new == "":
        return {}
    return {key: value for key, value in (old | new).items() if value != ""}
