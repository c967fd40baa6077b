"""Health and metrics: what the facts mean, over real HTTP, and read by somebody else's parser."""

import json
import socket
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from machine_agents.health import Facts, State, examine
from machine_agents.local_port import PortTaken, serving

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
WELL: dict[str, dict[str, Any]] = {
    "source": {"state": "connected", "notifications": 12, "missing": {}, "outage_tolerance_seconds": 60.5},
    "service": {"state": "reached"},
    "spool": {"sealed": 7, "sent": 7, "refused": 0, "unsent": 0, "bytes": 4096},
    "meter": {
        "heartbeat": NOW.isoformat(),
        "registers": {"power_on": 2**53 + 1, "travel.X": 5},
        "dropped": {"late": 1},
    },
    "disk": {"free_bytes": 10**10},
}


def but(section: str, **facts: Any) -> Facts:
    return WELL | {section: WELL[section] | facts}


def test_a_well_agent_has_no_finding() -> None:
    assert (examine(WELL, now=NOW).findings, examine(WELL, now=NOW).state) == ((), State.OK)


@pytest.mark.parametrize(
    ("facts", "state", "name"),
    [
        (but("source", state="stopped", why="disk full"), State.FAILING, "metering stopped"),
        (but("source", state="refused", why="another certificate"), State.FAILING, "machine refused"),
        (but("source", state="disconnected", why="no route"), State.DEGRADED, "machine not reached"),
        (but("source", missing={"feed": "there is no Feed"}), State.DEGRADED, "not metered"),
        (but("source", certificate_days_left=3), State.DEGRADED, "certificate"),
        (but("service", state="not enrolled", why="no code"), State.FAILING, "not enrolled"),
        (but("service", state="refused", why="401"), State.DEGRADED, "service refuses"),
        (but("spool", refused=2), State.DEGRADED, "records refused"),
        (
            but("spool", unsent=3, oldest_unsent=(NOW - timedelta(hours=2)).isoformat()),
            State.DEGRADED,
            "records unsent",
        ),
        (but("disk", free_bytes=1_000_000), State.DEGRADED, "disk"),
    ],
)
def test_each_trouble_is_named_with_what_to_do(facts: Facts, state: State, name: str) -> None:
    health = examine(facts, now=NOW)
    assert [(one.name, one.state) for one in health.findings] == [(name, state)]
    assert health.findings[0].what_to_do
    assert health.state is state


def test_a_service_away_for_minutes_or_a_night_without_a_machine_is_no_failure() -> None:
    assert examine(but("service", state="not reached", why="503"), now=NOW).state is State.OK
    assert examine(but("source", state="disconnected"), now=NOW).state is not State.FAILING


def test_metrics_are_read_by_prometheus_own_parser_and_tell_the_facts() -> None:
    with serving("127.0.0.1", 0, lambda: WELL, clock=lambda: NOW) as (host, port):
        answer = httpx.get(f"http://{host}:{port}/metrics")
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert answer.headers["content-type"].startswith("text/plain")
    assert samples["spindleshare_agent_records_sealed_total",] == 7
    assert samples["spindleshare_agent_registers_total", "travel.X"] == 5
    assert samples["spindleshare_agent_outage_tolerance_seconds",] == 60.5
    assert samples["spindleshare_agent_up", "machine"] == 1


def test_healthz_answers_503_only_when_nothing_is_metered() -> None:
    facts: Facts = WELL
    with serving("127.0.0.1", 0, lambda: facts, clock=lambda: NOW) as (host, port):
        well = httpx.get(f"http://{host}:{port}/healthz")
        facts = but("spool", refused=1)
        degraded = httpx.get(f"http://{host}:{port}/healthz")
        facts = but("source", state="stopped", why="disk full")
        failing = httpx.get(f"http://{host}:{port}/healthz")
        other = httpx.get(f"http://{host}:{port}/status")
    assert [one.status_code for one in (well, degraded, failing, other)] == [200, 200, 503, 404]
    assert json.loads(failing.text)["findings"][0]["what"] == "disk full"


def test_a_client_that_says_nothing_keeps_nobody_waiting() -> None:
    with serving("127.0.0.1", 0, lambda: WELL, clock=lambda: NOW) as (host, port):
        mute = [socket.create_connection((host, port)) for _ in range(5)]
        answer = httpx.get(f"http://{host}:{port}/healthz", timeout=5)
        for one in mute:
            one.close()
    assert answer.status_code == 200
    assert not any(thread.name == "local port" and thread.is_alive() for thread in threading.enumerate())


def test_a_port_in_use_says_which_setting_to_change() -> None:
    with (
        serving("127.0.0.1", 0, lambda: WELL, clock=lambda: NOW) as (host, port),
        pytest.raises(PortTaken, match="local_port"),
        serving(host, port, lambda: WELL, clock=lambda: NOW),
    ):
        pass
