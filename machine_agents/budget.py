"""Whether a configuration asks more of a server than its vendor allows, or more of a reading than it holds."""

from collections.abc import Collection

from machine_agents.config import SourceConfig
from machine_agents.profile import Profile
from machine_agents.signal_codes import codes_of
from metering.ocmf_fields import MAX_REGISTERS


class OverBudget(ValueError):
    """The configuration asks more of the server than the profile's budget: nothing is subscribed."""


def excess(profile: Profile, config: SourceConfig, signals: Collection[str] = ()) -> list[str]:
    """What is too much, each with what to change; `signals` as far as they are known (none: not yet)."""
    budget, found, items = profile.budget, [], len(signals)
    for name, allowed in (("sampling_ms", budget.sampling_ms), ("publish_ms", budget.publish_ms)):
        if allowed and (value := getattr(config, name)) not in allowed:
            found.append(f"source.{name} = {value}: this server takes only {', '.join(map(str, allowed))}")
    if budget.items and items > budget.items:
        found.append(f"{items} items: this server monitors at most {budget.items}; take a profile with fewer signals")
    rate = samples_per_second(config, items)
    if budget.samples_per_second and rate > budget.samples_per_second:
        slower = next((ms for ms in budget.sampling_ms if items * 1000 / ms <= budget.samples_per_second), None)
        advice = f"set source.sampling_ms = {slower}" if slower else "take a profile with fewer signals"
        found.append(
            f"{items} items every {config.sampling_ms} ms are {rate:g} samples/s, this server gives at most "
            f"{budget.samples_per_second}: {advice}"
        )
    if budget.queue and config.queue > budget.queue:
        found.append(f"source.queue = {config.queue}: this server keeps at most {budget.queue}")
    registers = len({code for signal in signals for code in codes_of(signal)} | {"unknown"})
    if registers > MAX_REGISTERS:
        found.append(
            f"{items} signals feed {registers} registers, a reading holds {MAX_REGISTERS}: "
            "take a profile with fewer signals"
        )
    return found


def samples_per_second(config: SourceConfig, items: int) -> float:
    """What `items` cost the server; sampling as fast as it can (0) counts as once a millisecond."""
    return items * 1000 / max(config.sampling_ms, 1)


def check_budget(profile: Profile, config: SourceConfig, signals: Collection[str] = ()) -> None:
    """OverBudget when there is any excess; the vendor's source for the limits is named."""
    if found := excess(profile, config, signals):
        source = f" ({profile.budget.source})" if profile.budget.source else ""
        raise OverBudget("; ".join(found) + source)
