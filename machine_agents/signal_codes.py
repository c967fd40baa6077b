"""Which registers a signal feeds."""

from machine_agents.counters import causes_of

_SIMPLE = {
    "power": ("power_on",),
    "mode": ("auto_run",),
    "execution": ("program_run",),
    "feed": ("cutting",),
    "energy": ("energy",),
    "parts": ("parts",),
}


def codes_of(signal: str) -> tuple[str, ...]:
    """The registers that a signal feeds; none for a signal that is not known."""
    name, _, rest = signal.partition(".")
    part = rest.partition(".")[0]
    if name == "spindle" and part:
        return ("spindle_on", f"spindle_on.{part}", f"revolutions.{part}", "starts")
    if name == "axis" and part:
        return (f"travel.{part}",)
    if name == "counter" and part:
        return (signal, *(f"counter_beside.{part}.{cause}" for cause in causes_of(part)))
    return _SIMPLE.get(signal, ())
