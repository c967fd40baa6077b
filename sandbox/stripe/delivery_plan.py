"""Which webhook deliveries an event gets, and how they go wrong on purpose: by a seed, so a run can be repeated."""

import random
import time
from dataclasses import asdict, dataclass

from sandbox.stripe.problem import invalid
from sandbox.stripe.shelf import Object, Shelf

_SWAP_SECONDS = 0.4


@dataclass(frozen=True, slots=True)
class Plan:
    """How often (0 to 1) a delivery is lost, doubled, sent after its successors, or late by up to `delay_seconds`."""

    seed: int = 0
    lose: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    delay: float = 0.0
    delay_seconds: float = 1.0

    def __post_init__(self) -> None:
        for name in ("lose", "duplicate", "reorder", "delay"):
            if not 0 <= getattr(self, name) <= 1:
                raise invalid(f"{name} is a probability from 0 to 1", param=name)


def plan_of(shelf: Shelf) -> Plan:
    """The plan in force."""
    return Plan(**shelf.setting("plan", {}))


def set_plan(shelf: Shelf, plan: Plan) -> None:
    """Put `plan` in force from the next event on; its dice start anew."""
    shelf.set("plan", asdict(plan))
    shelf.set("events_planned", 0)


def queue(shelf: Shelf, event: Object) -> int:
    """Queue the deliveries of `event`; returns how many endpoints listen to it."""
    listening = [endpoint for endpoint in shelf.newest_first("webhook_endpoint") if _listens(endpoint, event["type"])]
    for endpoint in listening:
        plan = plan_of(shelf)
        dice = _dice(shelf, plan)
        if dice.random() < plan.lose:
            _add(shelf, event, endpoint, 0.0, state="lost")
            continue
        copies = 2 if dice.random() < plan.duplicate else 1
        for _ in range(copies):
            _add(shelf, event, endpoint, _wait(dice, plan))
    return len(listening)


def _listens(endpoint: Object, kind: str) -> bool:
    return endpoint["status"] == "enabled" and ("*" in endpoint["enabled_events"] or kind in endpoint["enabled_events"])


def _dice(shelf: Shelf, plan: Plan) -> random.Random:
    """Dice for one delivery: the same seed and count of deliveries give the same throws."""
    count = int(shelf.setting("events_planned", 0))
    shelf.set("events_planned", count + 1)
    return random.Random(f"{plan.seed}/{count}")


def _wait(dice: random.Random, plan: Plan) -> float:
    late = dice.random() * plan.delay_seconds if dice.random() < plan.delay else 0.0
    return late + (_SWAP_SECONDS if dice.random() < plan.reorder else 0.0)


def _add(shelf: Shelf, event: Object, endpoint: Object, wait: float, state: str = "waiting") -> None:
    shelf.database.execute(
        "insert into delivery (event, endpoint, due, state) values (?, ?, ?, ?)",
        (event["id"], endpoint["id"], time.time() + wait, state),
    )
