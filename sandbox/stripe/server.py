"""The HTTP face: Stripe's API below /v1, the payer's pages below /c, the tester's handles below /sandbox."""

import json
from typing import Any

from litestar import Litestar, MediaType, Response, get, post, route
from litestar import Request as HttpRequest
from litestar.datastructures import State

from sandbox.stripe import faults, payer
from sandbox.stripe.answers import page
from sandbox.stripe.api import Request, answer
from sandbox.stripe.delivery import Deliverer
from sandbox.stripe.delivery_plan import Plan, set_plan
from sandbox.stripe.problem import StripeProblem, invalid
from sandbox.stripe.shelf import Shelf

_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
Http = HttpRequest[Any, Any, State]


def create_app(shelf: Shelf, api_key: str) -> Litestar:
    """The application on a shelf; its deliverer runs while it does."""
    deliverer = Deliverer(shelf)
    handlers = [_api(shelf, api_key), *_pages(shelf), *_handles(shelf)]
    return Litestar(
        handlers,
        openapi_config=None,
        on_startup=[deliverer.start],
        on_shutdown=[deliverer.stop],
        request_max_body_size=1_000_000,
    )


def _api(shelf: Shelf, api_key: str) -> Any:
    @route("/v1/{path:path}", http_method=["GET", "POST", "DELETE"], sync_to_thread=True)
    def api(request: Http, path: str, body: bytes) -> Response[bytes]:
        form = body.decode("utf-8", "replace") if request.method == "POST" else request.scope["query_string"].decode()
        asked = Request(request.method, path.strip("/"), form, request.headers, _base(request))
        given, headers = answer(asked, shelf, api_key)
        content = json.dumps(given.body, indent=2).encode()
        return Response(content, status_code=given.status, headers=headers, media_type=MediaType.JSON)

    return api


def _pages(shelf: Shelf) -> list[Any]:
    # One handler for both methods: Litestar 2.25 loses a threaded handler that shares its path with another.
    @route("/c/pay/{session_id:str}", http_method=["GET", "POST"], sync_to_thread=True)
    def pay(request: Http, session_id: str, body: bytes) -> Response[str]:
        if request.method == "GET":
            return _shown(payer.show_session(shelf, _base(request), session_id))
        return _shown(payer.pay_session(shelf, _base(request), session_id, body.decode("utf-8", "replace")))

    @route("/c/authenticate/{intent_id:str}", http_method=["GET", "POST"], sync_to_thread=True)
    def ask(request: Http, intent_id: str, body: bytes) -> Response[str]:
        if request.method == "GET":
            return _shown(payer.show_holder(shelf, intent_id))
        return _shown(payer.answer_holder(shelf, _base(request), intent_id, body.decode("utf-8", "replace")))

    return [pay, ask]


def _handles(shelf: Shelf) -> list[Any]:
    @get("/sandbox/health", sync_to_thread=False)
    def health() -> dict[str, str]:
        return {"status": "ready"}

    @post("/sandbox/faults", sync_to_thread=True)
    def set_faults(data: dict[str, Any]) -> Response[dict[str, Any]]:
        return _handled(shelf, lambda: faults.set_fault(shelf, data))

    @post("/sandbox/webhooks", sync_to_thread=True)
    def set_webhooks(data: dict[str, Any]) -> Response[dict[str, Any]]:
        return _handled(shelf, lambda: set_plan(shelf, _plan(data)))

    @post("/sandbox/clock", sync_to_thread=True)
    def advance(data: dict[str, int]) -> Response[dict[str, Any]]:
        return _handled(shelf, lambda: shelf.set("clock_ahead", int(data.get("ahead_seconds", 0))))

    @get("/sandbox/deliveries", sync_to_thread=True)
    def deliveries() -> dict[str, Any]:
        with shelf.change():
            rows = shelf.database.execute("select number, event, state, attempt, note from delivery order by number")
            things = [dict(zip(("id", "event", "state", "attempt", "note"), row, strict=True)) for row in rows]
        return page(things, {"limit": 100}, "/sandbox/deliveries") | {"data": things}

    return [health, set_faults, set_webhooks, advance, deliveries]


def _plan(values: dict[str, Any]) -> Plan:
    try:
        return Plan(**values)
    except TypeError:
        raise invalid(f"The webhook plan has {', '.join(Plan.__dataclass_fields__)}.") from None


def _handled(shelf: Shelf, change: Any) -> Response[dict[str, Any]]:
    try:
        with shelf.change():
            change()
    except StripeProblem as problem:
        return Response(problem.body, status_code=problem.status)
    return Response({"done": True}, status_code=200)


def _shown(shown: payer.Shown) -> Response[str]:
    headers = _PAGE_HEADERS | ({"Location": shown.location} if shown.location else {})
    return Response(shown.html, status_code=shown.status, headers=headers, media_type=MediaType.HTML)


def _base(request: Http) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"
