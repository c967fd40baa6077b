"""Health: what an agent's facts mean to the person who has to act. Pure; the facts are those of `status`.

`ok`: nothing to do. `degraded`: metering goes on, but somebody should look. `failing`: nothing is metered, or what is
metered cannot be kept. Each finding says what to do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

Facts = Mapping[str, Mapping[str, Any]]

SILENT_AFTER = timedelta(minutes=2)
UNSENT_AFTER = timedelta(hours=1)
EXPIRES_WITHIN_DAYS = 30
LOW_DISK_BYTES = 200 * 1024 * 1024
_DOUBTFUL = {"step_back", "too_fast", "out_of_range"}


class State(StrEnum):
    """How bad it is."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be, and what to do about it."""

    name: str
    state: State
    what: str
    what_to_do: str


@dataclass(frozen=True, slots=True)
class Health:
    """All findings; `state` is the worst of them."""

    findings: tuple[Finding, ...]

    @property
    def state(self) -> State:
        order = list(State)
        return max((one.state for one in self.findings), key=order.index, default=State.OK)


def examine(facts: Facts, *, now: datetime) -> Health:
    """What is wrong at `now` with an agent that says `facts`."""
    findings = [
        *_agent(facts.get("agent", {})),
        *_source(facts.get("source", {})),
        *_spool(facts.get("spool", {}), now),
        *_counters(facts.get("meter", {})),
    ]
    findings += [*_service(facts.get("service", {})), *_schedule(facts.get("schedule", {}), now)]
    return Health((*findings, *_disk(facts.get("disk", {}))))


def _agent(agent: Mapping[str, Any]) -> list[Finding]:
    if failed := agent.get("failed"):
        return [Finding("agent ended", State.FAILING, str(failed), "do what it says, then start the agent again")]
    if stopped := agent.get("stopped"):
        return [Finding("agent stopped", State.FAILING, f"stopped at {stopped}", "start it to meter again")]
    return []


def _source(source: Mapping[str, Any]) -> list[Finding]:
    why = str(source.get("why", ""))
    found = []
    match source.get("state"):
        case "connected":
            pass
        case "stopped":
            what_to_do = "nothing is metered until this is mended; then it goes on by itself"
            found.append(Finding("metering stopped", State.FAILING, why, what_to_do))
        case "refused":
            what_to_do = "compare certificates and settings on the control with the agent's configuration"
            found.append(Finding("machine refused", State.FAILING, why, what_to_do))
        case state:
            # A machine that is switched off is the normal night.
            what_to_do = (
                "nothing, if the machine is switched off; else check its network and the control's OPC UA server"
            )
            found.append(Finding("machine not reached", State.DEGRADED, why or str(state or "starting"), what_to_do))
    if missing := source.get("missing"):
        what = "; ".join(f"{signal}: {reason}" for signal, reason in sorted(missing.items()))
        found.append(Finding("not metered", State.DEGRADED, what, "run `check` and mend the profile or the control"))
    days = source.get("certificate_days_left")
    if isinstance(days, int) and days < EXPIRES_WITHIN_DAYS:
        what = f"the agent's certificate is valid for {days} more days"
        found.append(Finding("certificate", State.DEGRADED, what, "renew it and trust the new one on the control"))
    return found


def _spool(spool: Mapping[str, Any], now: datetime) -> list[Finding]:
    found = []
    if refused := spool.get("refused"):
        what = f"the service refused {refused} records; they are kept"
        found.append(
            Finding("records refused", State.DEGRADED, what, "ask the operator of the service to look at them")
        )
    oldest = spool.get("oldest_unsent")
    if oldest and now - datetime.fromisoformat(oldest) > UNSENT_AFTER:
        what = f"{spool.get('unsent')} records since {oldest} are not with the service yet; nothing is lost"
        found.append(Finding("records unsent", State.DEGRADED, what, "check the network to the service"))
    return found


def _counters(meter: Mapping[str, Any]) -> list[Finding]:
    """What a counter of the machine did since the start that nobody would expect of it."""
    events: Mapping[str, int] = meter.get("counter_events") or {}
    doubtful = {name: times for name, times in events.items() if name.rpartition(" ")[2] in _DOUBTFUL}
    if not doubtful:
        return []
    what = "; ".join(f"{name.replace('_', ' ')} ({times} times)" for name, times in sorted(doubtful.items()))
    what_to_do = "compare the counter on the control with its [[counter]] table in the profile; another device in its"
    return [Finding("counter", State.DEGRADED, what, f"{what_to_do} place is declared there as `replaced`")]


def _service(service: Mapping[str, Any]) -> list[Finding]:
    state, why = service.get("state"), str(service.get("why", ""))
    if state == "refused":
        return [Finding("service refuses", State.DEGRADED, why, "ask the operator of the service")]
    if state == "not enrolled":
        what_to_do = "put a code from the operator into service.code_file"
        return [Finding("not enrolled", State.FAILING, why, what_to_do)]
    return []


def _schedule(schedule: Mapping[str, Any], now: datetime) -> list[Finding]:
    """Without a schedule metering goes on; sessions are then cut by the service, at quarter hours."""
    found = []
    if refused := schedule.get("refused"):
        what_to_do = "ask the operator of the service; where its key is another one now, enrol again with a new code"
        found.append(Finding("schedule refused", State.DEGRADED, str(refused), what_to_do))
    until = schedule.get("valid_until")
    if until and datetime.fromisoformat(until) <= now:
        what = f"the cut schedule {schedule.get('number')} ended at {until}: sessions after it are not known"
        found.append(Finding("schedule over", State.DEGRADED, what, "check the network to the service"))
    return found


def _disk(disk: Mapping[str, Any]) -> list[Finding]:
    free = disk.get("free_bytes")
    if not isinstance(free, int) or free >= LOW_DISK_BYTES:
        return []
    what = f"{free // 1024**2} MiB free on the agent's disk"
    return [Finding("disk", State.DEGRADED, what, "free some: when it is full nothing can be metered any more")]
