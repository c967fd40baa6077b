"""Events that happened, and the endpoints that want to hear of them."""

from typing import Any
from urllib.parse import urlsplit

from sandbox.stripe.call import API_VERSION, Call, merged_metadata
from sandbox.stripe.problem import invalid
from sandbox.stripe.shelf import Object, new_id


def retrieve_event(call: Call) -> Object:
    """The event of that id."""
    return call.load("event")


def list_events(call: Call) -> list[Object]:
    """Events, newest first: of a type or types, and only those (not) delivered everywhere."""
    params = call.params
    kinds = set(params.get("types", [])) | ({params["type"]} if "type" in params else set())
    delivered = params.get("delivery_success")
    return [
        event
        for event in call.shelf.newest_first("event")
        if (not kinds or any(_is_a(event["type"], kind) for kind in kinds))
        and (delivered is None or delivered == (event["pending_webhooks"] == 0))
    ]


def create_endpoint(call: Call) -> Object:
    """An address to deliver to; its signing secret is told only now."""
    endpoint = new_endpoint(call, call.params["url"], call.params["enabled_events"], f"whsec_{new_id('test')[5:]}")
    endpoint["description"] = call.params.get("description")
    endpoint["metadata"] = merged_metadata({}, call.params.get("metadata"))
    call.shelf.put(endpoint)
    return endpoint | {"secret": secret_of(call, endpoint)}


def new_endpoint(call: Call, url: str, events: list[str], secret: str) -> Object:
    """An endpoint with a known secret, kept."""
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise invalid(f"Invalid URL: {url}", param="url", code="url_invalid")
    endpoint: dict[str, Any] = {
        "id": new_id("we"),
        "object": "webhook_endpoint",
        "api_version": API_VERSION,
        "created": call.shelf.now(),
        "description": None,
        "enabled_events": events,
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": url,
    }
    call.shelf.set(f"secret/{endpoint['id']}", secret)
    return call.shelf.put(endpoint)


def secret_of(call: Call, endpoint: Object) -> str:
    """The signing secret of an endpoint."""
    return str(call.shelf.setting(f"secret/{endpoint['id']}", ""))


def retrieve_endpoint(call: Call) -> Object:
    """The endpoint of that id, without its secret."""
    return call.load("webhook_endpoint")


def list_endpoints(call: Call) -> list[Object]:
    """All endpoints."""
    return call.shelf.newest_first("webhook_endpoint")


def delete_endpoint(call: Call) -> Object:
    """Forget an endpoint; what waits for it is not delivered."""
    endpoint = call.load("webhook_endpoint")
    call.shelf.database.execute("delete from object where id = ?", (endpoint["id"],))
    return {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}


def _is_a(kind: str, wanted: str) -> bool:
    """Whether an event's type is the wanted one; `charge.*` stands for all of them."""
    return kind == wanted or (wanted.endswith("*") and kind.startswith(wanted[:-1]))
