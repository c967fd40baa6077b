"""A control's own time counter: its increases, and how far they agree with what the agent counted itself.

Each step of the counter is explained by time that the agent saw since the step before: first by what the agent counted
itself (`own`), then by the causes in the counter's order, at last by a gap of the line or by `other`. Counters have a
resolution (1 s, or as coarse as 360 s), so up to one step of seen time is carried to the next step, and a step may run
ahead of the own time by its size.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

CAUSES: Mapping[str, Sequence[str]] = {
    "power_on": (),
    "auto": ("hold", "mode"),
    "cut": ("program", "hold"),
}
"""Seen states that may explain a counter's increase beside the agent's own time, in the order they are asked.

`hold`: program interrupted or in feed hold; `mode`: program active in another mode than automatic; `program`: program
active but not seen cutting (rapid moves, no feed, spindle at rest).
"""

LAST_CAUSES = ("gap", "other")
"""`gap`: the line was silent or unavailable since the step before; `other`: none of all these."""

OWN = {"power_on": "power_on", "auto": "auto_run", "cut": "cutting"}
"""The register that counts the same thing as each of the control's counters."""


def causes_of(counter: str) -> tuple[str, ...]:
    """Every cause that a counter's increase can be put down to, beside the agent's own time."""
    return (*CAUSES.get(counter, ()), *LAST_CAUSES)


@dataclass(slots=True)
class ControlCounter:
    """One counter's memory. `seen` gives the cumulative ms of a state (`own` or a cause) up to now."""

    name: str
    mark: dict[str, int] = field(default_factory=dict)
    credit: dict[str, int] = field(default_factory=dict)

    def begin(self, seen: Callable[[str], int]) -> None:
        """It counts from a new base: what was seen before explains nothing of what follows."""
        self._remember(seen, {})

    def explain(self, step: int, seen: Callable[[str], int], *, of_gap: bool) -> dict[str, int]:
        """What counts of the counter's new value, in ms, by cause (`own` among them)."""
        states = ("own", *CAUSES.get(self.name, ()))
        grown = {state: seen(state) - self.mark.get(state, 0) for state in states}
        pools = {state: grown[state] + self.credit.get(state, 0) for state in states}
        explained: dict[str, int] = {}
        rest = step
        for state in states:
            taken = min(rest, max(pools[state], 0))
            explained[state] = taken
            pools[state] -= taken
            rest -= taken
        if rest and grown["own"] and not of_gap:
            ahead = min(rest, max(step + min(pools["own"], 0), 0))
            explained["own"] += ahead
            pools["own"] -= ahead
            rest -= ahead
        explained["gap" if of_gap else "other"] = rest
        self._remember(seen, {state: min(pool, step) for state, pool in pools.items()})
        return explained

    def _remember(self, seen: Callable[[str], int], credit: dict[str, int]) -> None:
        self.credit = credit
        self.mark = {state: seen(state) for state in ("own", *CAUSES.get(self.name, ()))}
