"""The HTTP API: one file per resource."""

from importlib import import_module
from typing import Any

_RESOURCES = ("agents", "readings", "stripe_events", "statements")

route_handlers: list[Any] = [
    handler for name in _RESOURCES for handler in import_module(f"app.api.{name}").route_handlers
]
