"""Which registers a signal feeds."""

from machine_agents.counters import causes_of
from metering.register import billable_twin

_SIMPLE = {
    "power": ("power_on",),
    "mode": ("auto_run",),
    "execution": ("program_run", "occupied_idle"),
    "item_state": ("item_executing",),
    "operation_mode": ("maintenance",),
    "warm_up": ("warm_up",),
    "dry_run": ("dry_run",),
    "feed": ("cutting",),
    "tool": ("tool_changes",),
    "energy": ("energy",),
    "parts": ("parts",),
}
_GROWING = ("energy", "parts")
_SPINDLE = {
    "speed": ("spindle_on", "spindle_on.{}", "revolutions.{}", "starts"),
    "load": ("cutting_load",),
    "rotating": ("spindle_on", "spindle_on.{}", "starts"),
    "as_axis": ("spindle_on", "spindle_on.{}", "starts"),
}


def codes_of(signal: str) -> tuple[str, ...]:
    """The registers that a signal feeds, each with its billable twin; none for a signal that is not known."""
    codes: list[str] = []
    for code in _own_codes(signal):
        twin = billable_twin(code)
        codes += [code] if twin is None else [code, twin]
    return tuple(codes)


def lossy_codes_of(signal: str) -> tuple[str, ...]:
    """Those of a signal's own registers that a lost value may have left short: all but sums of a counter's growth."""
    return () if signal in _GROWING or signal.startswith("counter.") else _own_codes(signal)


def _own_codes(signal: str) -> tuple[str, ...]:
    name, _, rest = signal.partition(".")
    part, _, what = rest.partition(".")
    if name == "spindle" and part:
        return tuple(code.format(part) for code in _SPINDLE.get(what, ()))
    if name == "axis" and part and what == "position":
        return (f"travel.{part}",)
    if name == "counter" and part and not what:
        return (signal, *(f"counter_beside.{part}.{cause}" for cause in causes_of(part)))
    return _SIMPLE.get(signal, ())
