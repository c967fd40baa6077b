"""The meter's cross-check: the agent's own integrals against the control's counters, like with like.

`power_on` is compared with the control's power-on counter, `auto_run` (execution active in automatic mode) with its
automatic-run counter, `cutting` with its cutting counter; for spindles turning there is no counter. Everything comes
from registers, so it can be worked out from any two readings on either side, for a quarter hour or a month.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from machine_agents.counters import OWN, causes_of

CAUSE_TEXTS: Mapping[str, str] = {
    "gap": "the line was silent or unavailable: only the control counted",
    "hold": "program interrupted or in feed hold: the control counts on",
    "mode": "program active in another mode than automatic: the control counts it too",
    "program": "program active, but not seen cutting at the samples: rapid moves, no feed, spindle at rest",
    "other": "the control counted in a state in which neither should, or faster than the clock",
    "agent_only": "the agent counted, the control did not: resolution, grace after the last sign of life, and changes"
    " between two samples",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One counter against the agent's register of the same meaning, in milliseconds.

    `causes` says where the difference comes from; its values sum up to `difference` exactly. `agent_only` is at most
    zero but for steps that a counter's resolution lets run ahead.
    """

    counter: str
    register: str
    counter_ms: int
    own_ms: int
    causes: Mapping[str, int]

    @property
    def difference(self) -> int:
        """What the control counted more than the agent."""
        return self.counter_ms - self.own_ms

    @property
    def unexplained(self) -> int:
        """The part of the difference without a state of the machine or the line behind it."""
        return self.causes["other"] + self.causes["agent_only"]


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """Every comparison that the registers allow, and what has no counter to be compared with."""

    comparisons: tuple[Comparison, ...]
    spindle_on_ms: int
    unknown_ms: int


def cross_check(grown: Mapping[str, int]) -> CrossCheck:
    """Compare by how much the registers have grown between two readings (see `growth`)."""
    comparisons = tuple(_compare(counter, grown) for counter in OWN if f"counter.{counter}" in grown)
    return CrossCheck(comparisons, grown.get("spindle_on", 0), grown.get("unknown", 0))


def growth(later: Mapping[str, int], earlier: Mapping[str, int]) -> dict[str, int]:
    """How much each of the later reading's registers has grown; a register new since the earlier one from zero."""
    return {code: value - earlier.get(code, 0) for code, value in later.items()}


def _compare(counter: str, grown: Mapping[str, int]) -> Comparison:
    register = OWN[counter]
    counted, own = grown[f"counter.{counter}"], grown.get(register, 0)
    causes = {cause: grown.get(f"counter_beside.{counter}.{cause}", 0) for cause in causes_of(counter)}
    causes["agent_only"] = counted - own - sum(causes.values())
    return Comparison(counter, register, counted, own, causes)
