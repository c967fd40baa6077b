"""Each counter policy on its whole way: a real server, registers by name, a restart, replay, and the health."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from typer.testing import CliRunner

from machine_agents import profile
from machine_agents.__main__ import app
from machine_agents.accrual import AccrualState, Policy, fold
from machine_agents.counter_policy import Begin, CounterPolicy
from machine_agents.counting import CounterEvent
from machine_agents.health import State, examine
from machine_agents.observation import Observation
from machine_agents.replay import replay
from metering.register import Unit, describe
from tests.machine_agents.plain_server import SPACE, START, Collector, plain_server, source_config
from tests.machine_agents.test_opcua_source import run, running, until
from tests.machine_agents.test_sealing import delivery, meter, readings, seen

COUNTERS = f"""
name = "counters"
trigger = "timestamp"
[namespaces]
t = "{SPACE}"
""" + "".join(
    f'[[signal]]\nsignal = "{signal}"\npath = "t:Machines/{{machine}}/t:{name}"\ntype = "{kind}"\n{more}\n'
    for signal, name, kind, more in (
        ("heartbeat", "Clock", "time", ""),
        ("energy", "Energy", "number", 'unit = "WHR"'),
        ("parts", "Parts", "number", ""),
        ("counter.power_on", "Hours", "number", 'unit = "SEC"'),
        ("counter.auto", "Auto", "number", 'unit = "SEC"'),
        ("counter.cut", "Cut", "number", 'unit = "SEC"'),
        ("serial.energy", "MeterSerial", "text", ""),
    )
)
POLICIES = """
[[counter]]
signal = "energy"
unit = "WHR"
modulus = 10000
[[counter]]
signal = "parts"
reset = "from_zero"
reset_at_most = 2
[[counter]]
signal = "counter.power_on"
unit = "SEC"
most_per_hour = 3600
step = 10
[[counter]]
signal = "counter.auto"
step_back = "hold"
[[counter]]
signal = "counter.cut"
closes_gaps = false
"""
# Second, signal, value; None is a value of bad quality.
STORY: list[tuple[int, str, Any]] = [
    *[(1, name, value) for name, value in (("energy", 9_990), ("parts", 40), ("counter.power_on", 100))],
    *[(1, name, value) for name, value in (("counter.auto", 50), ("counter.cut", 30), ("serial.energy", "M1"))],
    *[(2, name, value) for name, value in (("energy", 9_995), ("parts", 41), ("counter.power_on", 101))],
    *[(2, name, value) for name, value in (("counter.auto", 51), ("counter.cut", 31))],
    *[(3, name, value) for name, value in (("energy", 4), ("parts", 1), ("counter.power_on", 999_999))],
    *[(3, name, value) for name, value in (("counter.auto", 20), ("counter.cut", None))],
    *[(4, name, value) for name, value in (("energy", 6), ("parts", 3), ("counter.power_on", 1_000_000))],
    *[(4, name, value) for name, value in (("counter.auto", 50), ("counter.cut", 35))],
    *[(5, name, value) for name, value in (("serial.energy", "M2"), ("counter.auto", 53), ("counter.cut", 36))],
    (6, "energy", 777),
    (7, "energy", 779),
]
COUNTED = {
    "energy": (5 + 9 + 2 + 2) * 1_000,
    "parts": 1 + 1 + 2,
    "counter.power_on": (1 + 1) * 1_000,
    "counter.auto": (1 + 2) * 1_000,
    "counter.cut": (1 + 1) * 1_000,
    "counter_event.energy.roll_over": 1,
    "counter_event.energy.replaced": 1,
    "counter_event.parts.reset": 1,
    "counter_event.power_on.too_fast": 1,
    "counter_event.auto.step_back": 1,
    "counter_event.cut.gap_left_open": 1,
}


def of_counters(registers: Any) -> dict[str, int]:
    names = ("energy", "parts", "counter", "counter_event")
    return {code: value for code, value in registers.items() if code.partition(".")[0] in names}


def test_each_policy_against_a_real_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the wire, through the profile's units, folded with restarts from the saved state between."""
    known = profile.parse(COUNTERS + POLICIES, "counters.toml")
    monkeypatch.setattr("tests.machine_agents.test_opcua_source.PROFILE", known)

    async def test() -> None:
        async with plain_server(tmp_path / "server") as server:
            space = await server.server.get_namespace_index(SPACE)
            machine = await server.server.nodes.objects.get_child([f"{space}:Machines", f"{space}:Mill"])
            for entry in known.entries[1:]:
                name, whole = entry.path[-1].name, entry.kind == "number"
                server.nodes[entry.signal] = await machine.add_variable(
                    space, name, 0 if whole else "", ua.VariantType.Int64 if whole else ua.VariantType.String
                )
            sink = Collector()
            async with running(source_config(server.url, tmp_path), tmp_path, sink):
                await until(lambda: sink.deliveries)
                for second in range(1, 8):
                    for signal in [one for at, one, _ in STORY if at == second]:
                        value = next(value for at, one, value in STORY if (at, one) == (second, signal))
                        bad = ua.StatusCodes.BadSensorFailure if value is None else ua.StatusCodes.Good
                        await server.write(signal, 0 if value is None else value, second, bad)
                    await server.beat(second)
                await until(lambda: sink.deliveries[-1].heartbeat == START + timedelta(seconds=7))
        state = AccrualState.begin(START, [entry.signal for entry in known.entries])
        events: list[CounterEvent] = []
        for one in sink.deliveries:
            since = [seen for seen in one.observations if START < seen.source_time < START + timedelta(days=1)]
            state = AccrualState.from_json(state.to_json())
            fold(state, since, one.heartbeat, Policy(counters=known.counters))
            events += state.events
        assert of_counters(state.registers) == COUNTED
        jump = next(one for one in events if one.event == "too_fast")
        assert (jump.before, jump.after, jump.counted) == (101_000, 999_999_000, 0)
        assert jump.at == START + timedelta(seconds=3)

    run(test())


def test_events_stand_in_the_sealed_record_in_the_status_and_in_the_health(tmp_path: Path) -> None:
    one, spool = meter(tmp_path)
    one.deliver(delivery([seen("replayed", True, -1), seen("parts", 5, 0), seen("serial", "A", 0)], 0, fresh=True))
    one.deliver(delivery([seen("parts", 9, 1), seen("parts", 7, 2), seen("parts", -1, 3), seen("parts", 8, 4)], 20))
    sealed = readings(spool)[-1].registers
    assert (sealed["parts"], sealed["counter_event.parts.step_back"]) == (5, 1)
    assert sealed["counter_event.parts.out_of_range"] == 1
    assert one.counter_events == {"parts step_back": 1, "parts out_of_range": 1}
    assert [(told.before, told.after) for told in one.untold_events()] == [(9, 7), (7, -1)]
    assert one.untold_events() == []
    found = examine({"source": {"state": "connected"}, "meter": {"counter_events": one.counter_events}}, now=START)
    (finding,) = [finding for finding in found.findings if finding.name == "counter"]
    assert finding.state is State.DEGRADED
    assert "parts step back (1 times)" in finding.what
    assert describe("counter_event.parts.step_back").unit is Unit.PIECE


def test_another_control_is_known_before_the_counters_of_its_subscription(tmp_path: Path) -> None:
    one, _ = meter(tmp_path)
    one.deliver(delivery([seen("replayed", True, -1), seen("parts", 5, 0), seen("serial", "A", 0)], 0, fresh=True))
    one.deliver(delivery([seen("parts", 9, 1)], 2))
    again = [seen("replayed", True, 3), seen("parts", 5_000, 4), seen("serial", "B", 5)]
    one.deliver(delivery(again, 5, fresh=True))
    one.deliver(delivery([seen("parts", 5_002, 6)], 7))
    assert one.registers()["parts"] == 4 + 2
    assert one.counter_events == {"parts replaced": 1}


def test_a_state_of_before_policies_goes_on_from_what_its_counters_showed() -> None:
    state = AccrualState.begin(START, ["energy", "counter.auto"])
    old = json.loads(state.to_json())
    del old["totals"], old["serials"]
    old |= {"bases": {"energy": 70}, "counters": [["auto", 5_000, False, {"own": 0}, {}]]}
    state = AccrualState.from_json(json.dumps(old))
    at = START + timedelta(seconds=5)
    fold(state, [Observation("energy", 75, at), Observation("counter.auto", 8_000, at)], at, Policy())
    assert (state.registers["energy"], state.registers["counter.auto"]) == (5, 3_000)


def test_a_reset_over_a_restart_counts_what_it_shows_since_and_only_once() -> None:
    policy = Policy(counters={"parts": CounterPolicy(reset=Begin.FROM_ZERO, reset_at_most=10)})
    state = AccrualState.begin(START, ["parts"])
    for second, value in enumerate((100, 103, 2, 2, 5)):
        at = START + timedelta(seconds=second)
        fold(state, [Observation("parts", value, at)], at, policy)
        state = AccrualState.from_json(state.to_json())
    assert state.registers["parts"] == 3 + 2 + 3


def test_replay_names_every_step_and_what_of_the_counter_counts(tmp_path: Path) -> None:
    log, mapping = tmp_path / "mill.txt", tmp_path / "mill.toml"
    at = datetime(2026, 3, 2, 8, tzinfo=UTC)
    shown = [("pc", "7"), ("kwh", "9.5"), ("pc", "9"), ("kwh", "0.5"), ("pc", "0"), ("pc", "3")]
    lines = [
        f"{(at + timedelta(seconds=number)).isoformat().replace('+00:00', 'Z')}|{item}|{value}"
        for number, (item, value) in enumerate(shown)
    ]
    log.write_text("\n".join(lines) + "\n")
    mapping.write_text(
        '[items.pc]\nsignal = "parts"\nscale = 1\n[items.kwh]\nsignal = "energy"\nscale = 1000000\n'
        '[[counter]]\nsignal = "energy"\nunit = "KWH"\nmodulus = 10\n'
    )
    found = replay([log], profile=mapping)
    assert (found.registers["parts"], found.registers["energy"]) == (2 + 3, 1_000_000)
    assert [(one.signal, str(one.event), one.counted) for one in found.events] == [
        ("energy", "roll_over", 1_000_000),
        ("parts", "reset", 0),
    ]
    told = found.to_json()
    assert told["counters_shown"]["parts"] == {"first": 7, "last": 3, "counted": 5}
    assert told["counter_events"][0]["at"] == "2026-03-02T08:00:03+00:00"
    said = CliRunner().invoke(app, ["replay", str(log), "--profile", str(mapping)])
    assert said.exit_code == 0
    assert "energy roll over: 1 times" in said.output
    assert "parts: shows 7 to 3, counted 5 (+9 by the steps below" in said.output
    mapping.write_text(mapping.read_text().replace("modulus = 10", "modulus = -10"))
    said = CliRunner().invoke(app, ["replay", str(log), "--profile", str(mapping)])
    assert said.exit_code == 3
    assert "counter 'energy': modulus -10 must be at least 0" in said.output
