"""Prometheus metrics from the agent's facts.

Every figure is read from one snapshot of the facts, so a scrape is consistent and costs the metering nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from machine_agents.health import Facts, examine

_PREFIX = "spindleshare_agent_"
# Each: the metric, the section of the facts and the fact that it shows, and its help text.
_COUNTERS = (
    ("notifications", "source", "notifications", "Values taken from the machine since the agent started."),
    ("messages_lost", "source", "messages_lost", "Messages that the machine could not send again."),
    ("overflows", "source", "overflows", "Values with the overflow bit: at least one before each is lost."),
    ("gaps", "source", "gaps", "Subscriptions begun anew after a loss."),
    ("history_stretches", "source", "history_stretches", "Stretches recovered from the machine's own history."),
    ("history_values", "source", "history_values", "Values recovered from the machine's own history."),
    ("history_seconds", "source", "history_seconds", "Time of which values were recovered from history."),
    ("records_sealed", "spool", "sealed", "Records sealed in the meter's life."),
    ("records_settled", "spool", "sent", "Records that the service has decided on."),
    ("schedules_refused", "schedule", "refusals", "Times that a cut schedule was refused."),
    ("cuts_missed", "schedule", "missed", "Cuts of schedules that came when their moment had passed."),
    ("telemetry_gaps", "telemetry", "gaps", "Times that raw observations could not be kept."),
    ("telemetry_lost", "telemetry", "lost_rows", "Raw observations that were not kept."),
)
_GAUGES = (
    ("outage_tolerance_seconds", "source", "outage_tolerance_seconds", "How long the machine keeps values for us."),
    ("certificate_days_left", "source", "certificate_days_left", "Days until the agent's certificate expires."),
    ("schedule_number", "schedule", "number", "Number of the cut schedule that is followed; 0 before the first."),
    ("schedule_cuts_ahead", "schedule", "cuts_ahead", "Cuts of the schedule that are still to come."),
    ("records_unsent", "spool", "unsent", "Records waiting for the service."),
    ("records_refused", "spool", "refused", "Records that the service refused."),
    ("telemetry_segments_waiting", "telemetry", "waiting", "Segments of telemetry waiting for the service."),
    ("telemetry_segments_refused", "telemetry", "refused", "Segments of telemetry that the service refused."),
    ("telemetry_bytes", "telemetry", "bytes", "Size of the telemetry that waits."),
    ("spool_bytes", "spool", "bytes", "Size of the spool's data."),
    ("disk_free_bytes", "disk", "free_bytes", "Free space on the agent's disk."),
    ("memory_bytes", "agent", "memory_bytes", "Resident memory of the agent."),
)


class AgentCollector(Collector):
    """Turns the newest snapshot into metrics. `facts` gives it, `clock` the wall time."""

    def __init__(self, facts: Callable[[], Facts], clock: Callable[[], datetime]) -> None:
        self._facts, self._clock = facts, clock

    def collect(self) -> Iterable[Metric]:
        facts, now = self._facts(), self._clock()
        for name, section, fact, about in _COUNTERS:
            yield CounterMetricFamily(_PREFIX + name, about, value=_number(facts, section, fact))
        for name, section, fact, about in _GAUGES:
            if fact in facts.get(section, {}):
                yield GaugeMetricFamily(_PREFIX + name, about, value=_number(facts, section, fact))
        yield from _ages(facts, now)
        yield _states(facts, now)
        yield _by_label(facts, "registers", "registers", "register", "Registers in their smallest unit.")
        yield _by_label(
            facts,
            "counter_events",
            "counter_events",
            "event",
            "Unusual steps of counters since the start.",
        )
        yield _by_label(facts, "dropped", "observations_dropped", "why", "Observations that changed nothing.")


def text(facts: Facts, *, clock: Callable[[], datetime]) -> bytes:
    """The metrics of one snapshot in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(AgentCollector(lambda: facts, clock))
    return generate_latest(registry)


def _number(facts: Facts, section: str, fact: str) -> float:
    return float(facts.get(section, {}).get(fact) or 0)


def _ages(facts: Facts, now: datetime) -> Iterator[Metric]:
    for name, section, fact, about in (
        ("heartbeat_age_seconds", "meter", "heartbeat", "Time since the machine last proved alive, by its own clock."),
        ("schedule_age_seconds", "schedule", "confirmed", "Time since the service had no newer schedule."),
        ("oldest_unsent_age_seconds", "spool", "oldest_unsent", "Age of the oldest record the service does not have."),
    ):
        if moment := facts.get(section, {}).get(fact):
            age = (now - datetime.fromisoformat(moment)).total_seconds()
            yield GaugeMetricFamily(_PREFIX + name, about, value=max(0.0, age))


def _states(facts: Facts, now: datetime) -> Metric:
    health = examine(facts, now=now)
    states = GaugeMetricFamily(_PREFIX + "up", "1 while this holds.", labels=["part"])
    states.add_metric(["machine"], float(facts.get("source", {}).get("state") == "connected"))
    states.add_metric(["service"], float(facts.get("service", {}).get("state") == "reached"))
    states.add_metric(["healthy"], float(health.state == "ok"))
    return states


def _by_label(facts: Facts, fact: str, name: str, label: str, about: str) -> Metric:
    values: Mapping[str, Any] = facts.get("meter", {}).get(fact) or {}
    family = CounterMetricFamily(_PREFIX + name, about, labels=[label])
    for code, value in sorted(values.items()):
        family.add_metric([code], float(value))
    return family
