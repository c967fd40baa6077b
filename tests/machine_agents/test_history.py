"""What was missed and read from history: registers as if nothing had been missed, or less where history is wanting."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest
from asyncua import ua
from hypothesis import given, settings
from hypothesis import strategies as st

from machine_agents import profile
from machine_agents.accrual import AccrualState, Policy, fold
from machine_agents.config import SourceConfig
from machine_agents.coverage import NOTHING, Span, usable
from machine_agents.delivery import Delivery, History, Known
from machine_agents.missed import after_loss, first_heartbeat, known_of
from machine_agents.observation import HEARTBEAT, Observation
from machine_agents.opcua_source import history_parts
from machine_agents.opcua_source.catch_up import CatchUp, Missed
from machine_agents.opcua_source.nodes import Found, Resolution
from machine_agents.recovered import Recovered
from machine_agents.source_time import to_ms
from machine_agents.status import Status
from metering.ocmf_fields import MAX_RECOVERED
from metering.period import Period
from tests.machine_agents.history_server import START, HistorySession, Row

POLICY = Policy(silence_ms=10_000_000)  # so that a pause between two random values is none of the machine's
_TEXT = """
name = "all"
[namespaces]
t = "urn:t"
"""
_KINDS = {
    "power": 'type = "flag"',
    "execution": 'type = "text"',
    "mode": 'type = "text"',
    "warm_up": 'type = "flag"',
    "feed": 'type = "number"\nunit = "C16"',
    "spindle.S1.speed": 'type = "number"\nunit = "RPM"',
    "spindle.S1.load": 'type = "number"\nunit = "P1"',
    "spindle.S2.rotating": 'type = "flag"',
    "spindle.S2.as_axis": 'type = "flag"',
    "axis.X.position": 'type = "number"\nunit = "MMT"',
    "parts": 'type = "number"',
    "tool": 'type = "text"',
}
_VALUES: dict[str, Sequence[Any]] = {
    "execution": ("active", "interrupted", "stopped"),
    "mode": ("automatic", "manual"),
    "feed": (0, 5, 15, 60),
    "spindle.S1.speed": (0, 500, 3000),
    "spindle.S1.load": (0, 5, 40),
    "axis.X.position": (0, 10, 250),
    "parts": range(1, 200),
    "tool": ("T1", "T2", ""),
}
SIGNALS = tuple(_KINDS)
PROFILE = profile.parse(
    _TEXT
    + "\n".join(f'[[signal]]\nsignal = "{one}"\nnode = "t:s={one}"\n{kind}' for one, kind in _KINDS.items())
    + f'\n[[signal]]\nsignal = "{HEARTBEAT}"\nnode = "t:s=clock"\ntype = "time"\n',
    "all",
)
ENTRIES = {entry.signal: entry for entry in PROFILE.entries}
NODES = {signal: ua.NodeId(signal, 2) for signal in SIGNALS}


def at(seconds: float) -> datetime:
    return START + timedelta(milliseconds=round(seconds * 1000))


@dataclass
class Machine:
    """Random values of every signal over ten minutes, as the server's nodes have them."""

    rows: dict[str, list[Row]]

    @classmethod
    def of(cls, seed: int, seconds: int = 600, *, bad: float = 0.0) -> "Machine":
        """`bad`: the share of values that are of bad quality."""
        random = Random(seed)
        rows: dict[str, list[Row]] = {}
        for signal in SIGNALS:
            times = sorted({0, *(random.randrange(seconds * 1000) for _ in range(random.randrange(2, 40)))})
            values = _VALUES.get(signal, (True, False))
            if signal == "parts":
                chosen: list[Any] = sorted(random.choice(values) for _ in times)
            else:
                chosen = [None if random.random() < bad else random.choice(values) for _ in times]
            rows[signal] = [(at(time / 1000), value) for time, value in zip(times, chosen, strict=True)]
        return cls(rows)

    def seen(self, since: datetime, until: datetime) -> list[Observation]:
        """What a subscription brings of (since, until]."""
        return [
            _observation(signal, *row) for signal in SIGNALS for row in self.rows[signal] if since < row[0] <= until
        ]

    def held(self, moment: datetime) -> list[Observation]:
        """The values that a new subscription finds."""
        return [_observation(signal, *[row for row in self.rows[signal] if row[0] <= moment][-1]) for signal in SIGNALS]


def _observation(signal: str, moment: datetime, value: Any) -> Observation:
    return Observation(signal, None if value is None else ENTRIES[signal].converter()(value), moment)


class Killed(Exception):
    pass


@dataclass
class FoldSink:
    """Folds as the meter does, and keeps the state as text between two deliveries, as the spool does."""

    text: str = ""
    kills: list[int] = field(default_factory=list)
    stretches: list[Period] = field(default_factory=list)
    taken: int = 0

    def deliver(self, delivery: Delivery) -> None:
        first = first_heartbeat(delivery.observations) if delivery.fresh else None
        begun = not self.text
        state = AccrualState.begin(first or START, delivery.signals) if begun else AccrualState.from_json(self.text)
        fold(state, after_loss(state, delivery, first, begun=begun), delivery.heartbeat, POLICY)
        self.taken += 1
        if self.kills and self.taken == self.kills[0]:
            del self.kills[0]
            raise Killed
        self.text = state.to_json()
        if delivery.history is not None:
            self.stretches.append(delivery.history.period)

    def remember(self, state: str) -> None: ...

    def remembered(self) -> str:
        return ""

    def known(self) -> Known | None:
        return known_of(AccrualState.from_json(self.text)) if self.text else None

    def settle(self, end: datetime) -> dict[str, int]:
        state = AccrualState.from_json(self.text)
        fold(state, [], end, POLICY)
        return state.registers


def beat(moment: datetime) -> Observation:
    return Observation(HEARTBEAT, to_ms(moment), moment)


def catch_up(
    sink: FoldSink, session: HistorySession, missed: Missed, *, seconds: float = 60, status: Status | None = None
) -> History | None:
    found = [
        Found(signal, ENTRIES[signal], NODES[signal], signal, history=NODES[signal] not in session.without)
        for signal in SIGNALS
    ]
    status = status or Status(None, None, clock=lambda: START, monotonic=lambda: 0.0)
    link, config = cast(Any, SimpleNamespace(session=session)), SourceConfig("opc.tcp://x", "u")
    one = CatchUp(link, config, Resolution(found), sink, status, seconds=seconds, monotonic=lambda: 0.0)
    known = sink.known()
    assert known is not None
    return asyncio.run(one.run(missed, known))


GIVEN = (HEARTBEAT, *SIGNALS)


def undisturbed(machine: Machine, end: datetime) -> dict[str, int]:
    sink = FoldSink()
    sink.deliver(Delivery([beat(START), *machine.held(START)], START, "", GIVEN, fresh=True))
    sink.deliver(Delivery([*machine.seen(START, end), beat(end)], end, "", GIVEN))
    return sink.settle(end)


def over_a_gap(
    machine: Machine, left: datetime, again: datetime, end: datetime, session: HistorySession, sink: FoldSink
) -> None:
    """A subscription until `left`, and another one from `again` on; what lies between is read as far as it can be."""
    if not sink.text:
        sink.deliver(Delivery([beat(START), *machine.held(START)], START, "", GIVEN, fresh=True))
        settled = max(START, left - timedelta(seconds=2))  # values up to here have come for certain
        sink.deliver(Delivery([*machine.seen(START, left), beat(left)], settled, "", GIVEN))
    found = [*machine.held(again), beat(again)]
    seen = {one.signal: (one.source_time, (one.value,)) for one in found}
    history = catch_up(sink, session, Missed(frozenset(GIVEN), GIVEN, seen, again, "state"))
    sink.deliver(Delivery(found, again - timedelta(seconds=2), "", GIVEN, fresh=True, history=history))
    sink.deliver(Delivery([*machine.seen(again, end), beat(end)], end, "", GIVEN))


def session_of(machine: Machine, **changes: Any) -> HistorySession:
    return HistorySession({NODES[signal]: rows for signal, rows in machine.rows.items()}, present(machine), **changes)


def present(machine: Machine) -> dict[ua.NodeId, Row]:
    return {NODES[signal]: rows[-1] for signal, rows in machine.rows.items()}


gaps = st.tuples(st.integers(5, 500), st.integers(1, 400)).map(lambda pair: (pair[0], min(pair[0] + pair[1], 595)))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), gaps, st.integers(1, 9), st.booleans(), st.lists(st.integers(3, 6), max_size=2))
def test_with_a_whole_history_nothing_was_missed(
    seed: int, gap: tuple[int, int], page: int, points: bool, kills: list[int]
) -> None:
    """Also when it is killed in the middle, and whatever the pages are like."""
    machine, end = Machine.of(seed), at(600)
    sink = FoldSink(kills=sorted(kills))
    for _ in range(len(kills) + 1):
        try:
            over_a_gap(
                machine, at(gap[0]), at(gap[1]), end, session := session_of(machine, page=page, points=points), sink
            )
            break
        except Killed:
            sink.taken = 0
    assert sink.settle(end) == undisturbed(machine, end)
    assert not session.open_points


def damaged(machine: Machine, random: Random) -> dict[ua.NodeId, list[Row]]:
    """Histories that begin late, end early, hold bad values, are out of order or not there at all."""
    rows: dict[ua.NodeId, list[Row]] = {}
    for signal, told in machine.rows.items():
        kept = list(told)
        match random.randrange(8):
            case 0:
                kept = kept[random.randrange(len(kept)) :]
            case 1:
                kept = kept[: random.randrange(len(kept))]
            case 2:
                random.shuffle(kept)
            case 3:
                kept = [(moment, value if random.random() < 0.8 else None) for moment, value in kept]
            case 4:
                kept = []
        rows[NODES[signal]] = kept
    return rows


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), gaps)
def test_a_wanting_history_never_raises_a_register(seed: int, gap: tuple[int, int]) -> None:
    """Whichever signals' histories are lacking, and in which way."""
    machine, random, end = Machine.of(seed, bad=0.02), Random(seed), at(600)
    refused = frozenset(node for node in NODES.values() if random.random() < 0.1)
    without = frozenset(node for node in NODES.values() if random.random() < 0.1)
    session = HistorySession(
        damaged(machine, random), present(machine), refused=refused, without=without, backward=random.random() < 0.8
    )
    over_a_gap(machine, at(gap[0]), at(gap[1]), end, session, sink := FoldSink())
    got, true = sink.settle(end), undisturbed(machine, end)
    assert {code: value for code, value in got.items() if not code.startswith("unknown") and value > true[code]} == {}


def within_a_subscription(
    machine: Machine, left: datetime, again: datetime, end: datetime, session: HistorySession, sink: FoldSink
) -> None:
    """The queue overflows for all but the first signal: its values come, the others' of before `again` do not."""
    sink.deliver(Delivery([beat(START), *machine.held(START)], START, "", GIVEN, fresh=True))
    sink.deliver(Delivery([*machine.seen(START, left), beat(left)], max(START, left - timedelta(seconds=2)), "", GIVEN))
    lost = frozenset(SIGNALS[1:])
    kept = [one for one in machine.seen(left, again) if one.signal not in lost]
    group = [*kept, *machine.seen(again, end), beat(end)]
    seen: dict[str, Any] = {}
    for one in group:
        seen.setdefault(one.signal, (one.source_time, (one.value,)))
    history = catch_up(sink, session, Missed(lost, GIVEN, seen))
    sink.deliver(Delivery(group, end, "", GIVEN, lost=lost, history=history))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), gaps)
def test_a_loss_within_a_subscription_is_made_good(seed: int, gap: tuple[int, int]) -> None:
    machine, end, sink = Machine.of(seed), at(600), FoldSink()
    within_a_subscription(machine, at(gap[0]), at(gap[1]), end, session_of(machine), sink)
    assert sink.settle(end) == undisturbed(machine, end)


def turning(*, power: Sequence[Row] | None = None, speed: Sequence[Row]) -> Machine:
    """A machine of which only power and the spindle's speed ever change; it is on from the start."""
    rows = {signal: [(START, _REST[signal])] for signal in SIGNALS}
    return Machine(rows | {"power": list(power or [(START, True)]), "spindle.S1.speed": [(START, 0), *speed]})


_REST: dict[str, Any] = {
    **dict.fromkeys(("warm_up", "spindle.S2.rotating", "spindle.S2.as_axis"), False),
    "power": True,
    "execution": "stopped",
    "mode": "manual",
    "feed": 0,
    "tool": "",
    "parts": 0,
    "spindle.S1.speed": 0,
    "spindle.S1.load": 0,
    "axis.X.position": 0,
}
TURNS = turning(speed=[(at(100), 60), (at(200), 0), (at(300), 120), (at(400), 0)])


def registers_with(rows: Mapping[str, Sequence[Row]], **changes: Any) -> dict[str, int]:
    """Of `TURNS`, missed from 50 s to 500 s, with a history of these rows."""
    told = {NODES[signal]: list(rows.get(signal, TURNS.rows[signal])) for signal in SIGNALS}
    sink = FoldSink()
    over_a_gap(TURNS, at(50), at(500), at(600), HistorySession(told, present(TURNS), **changes), sink)
    return sink.settle(at(600))


SPEED = "spindle.S1.speed"


@pytest.mark.parametrize(
    ("told", "seconds_on", "revolutions"),
    [
        (TURNS.rows[SPEED], 200, 300),
        (TURNS.rows[SPEED][3:], 100, 200),  # it begins at 300 s
        (TURNS.rows[SPEED][:3], 100, 100),  # it ends at 200 s
        (TURNS.rows[SPEED][2:4], 0, 0),  # it begins at rest and ends as the spindle starts: that is no time
        ([], 0, 0),
        ([*TURNS.rows[SPEED][:2], *TURNS.rows[SPEED][3:1:-1], TURNS.rows[SPEED][4]], 0, 0),  # out of order
    ],
)
def test_what_history_does_not_prove_does_not_count(told: list[Row], seconds_on: int, revolutions: int) -> None:
    got = registers_with({SPEED: told})
    assert (got["spindle_on.S1"], got["revolutions.S1"]) == (seconds_on * 1000, revolutions * 1000)
    assert got["power_on"] == 600_000
    assert got["unknown"] == 0


def test_a_history_that_contradicts_what_was_seen_is_not_believed() -> None:
    assert registers_with({SPEED: [(START, 7), *TURNS.rows[SPEED][1:]]})["spindle_on.S1"] == 0
    assert registers_with({SPEED: [*TURNS.rows[SPEED][:-1], (at(400), 9)]})["spindle_on.S1"] == 0


def test_without_the_history_of_what_exempts_no_hours_come_back() -> None:
    got = registers_with({}, refused=frozenset({NODES["warm_up"]}))
    assert got["spindle_on.S1"] == got["billable_spindle_on"] == 0
    assert got["power_on"] == got["billable_power_on"] == 150_000


def test_a_bad_value_ends_what_others_depend_on() -> None:
    rows = [*TURNS.rows[SPEED][:2], (at(150), None), *TURNS.rows[SPEED][2:]]
    assert registers_with({SPEED: rows})["spindle_on.S1"] == 50_000


def test_silence_in_a_history_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that was off for a while left no values: nothing holds over it."""
    monkeypatch.setattr("tests.machine_agents.test_history.POLICY", Policy(silence_ms=5_000))
    got = registers_with({})
    assert got["spindle_on.S1"] == 10_000
    assert got["unknown"] > 500_000


def test_parts_are_as_long_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_parts, "MOST_AT_ONCE", 20)
    machine, sink = Machine.of(5), FoldSink()
    over_a_gap(machine, at(50), at(580), at(600), session_of(machine), sink)
    assert sink.settle(at(600)) == undisturbed(machine, at(600))
    assert sink.taken > 8


def test_within_a_subscription_the_first_of_too_many_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = turning(speed=[(at(second), 60 * (second % 2)) for second in range(51, 580)])
    monkeypatch.setattr(history_parts, "MOST_AT_ONCE", 200)
    sink = FoldSink()
    within_a_subscription(machine, at(50), at(450), at(600), session_of(machine, page=50), sink)
    got, true = sink.settle(at(600))["spindle_on.S1"], undisturbed(machine, at(600))["spindle_on.S1"]
    assert true - 200_000 < got <= true - 100_000


@pytest.mark.parametrize("requests", [0, 1, 20, 60])
def test_a_line_that_breaks_meanwhile_is_the_connections_end(requests: int) -> None:
    machine, sink = Machine.of(7), FoldSink()
    with pytest.raises(ConnectionError):
        over_a_gap(machine, at(50), at(580), at(600), session_of(machine, failing=requests), sink)
    over_a_gap(machine, at(50), at(580), at(600), session_of(machine), sink)
    assert sink.settle(at(600)) == undisturbed(machine, at(600))


def test_out_of_time_what_is_stored_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = FoldSink()
    with monkeypatch.context() as patched:
        patched.setattr(history_parts.Parts, "measure", raise_out_of_time)
        over_a_gap(TURNS, at(50), at(500), at(600), session_of(TURNS), sink)
    assert sink.settle(at(600))["spindle_on.S1"] == 0


async def raise_out_of_time(_: Any) -> None:
    raise history_parts.OutOfTime


def test_it_is_said_what_was_recovered_and_what_was_not() -> None:
    sink = FoldSink()
    status = Status(None, None, clock=lambda: START, monotonic=lambda: 0.0)
    sink.deliver(Delivery([beat(START), *TURNS.held(START)], START, "", GIVEN, fresh=True))
    seen = {one.signal: (one.source_time, (one.value,)) for one in TURNS.held(at(500))}
    session = session_of(TURNS, refused=frozenset({NODES["feed"]}), without=frozenset({NODES["tool"]}))
    catch_up(sink, session, Missed(frozenset(GIVEN), GIVEN, seen, at(500), "state"), status=status)
    facts = status.facts["source"]
    assert facts["history_values"] == 4
    assert facts["history_seconds"] == 500
    assert "4 values of 2026-03-02T08:00:00+00:00" in facts["history"]
    assert "feed (BadHistoryOperationUnsupported), tool (no history)" in facts["history"]


def test_what_depends_on_each_other_is_covered_together() -> None:
    spans = {"execution": Span(), "spindle.A.speed": Span(None, at(9)), "parts": Span(at(1), at(2))}
    signals = ["heartbeat", *spans, "spindle.A.load", "mode"]
    got = usable(spans, set(signals), signals)
    assert got == {"execution": Span(None, at(9)), "spindle.A.speed": Span(None, at(9)), "parts": Span(at(1), at(2))}
    assert usable(spans, {*signals, "dry_run"}, [*signals, "dry_run"]) == {"parts": Span(at(1), at(2))}
    assert usable(spans, set(spans), [*signals, "dry_run"]) == got
    assert usable(spans, {*signals, "replayed"}, [*signals, "replayed"]) == {}
    assert usable({"parts": NOTHING}, {"parts"}, ["parts"]) == {}


def test_stretches_are_told_once_and_never_too_many() -> None:
    one = Recovered()
    one.add(Period(at(10), at(20)))
    one.add(Period(at(20), at(30)))
    one = Recovered(one.to_json())
    assert one.take(at(25)) == (Period(at(10), at(25)),)
    assert one.take(at(25)) == ()
    for number in range(2 * MAX_RECOVERED):
        one.add(Period(at(40 + 2 * number), at(41 + 2 * number)))
    told = one.take(at(10_000))
    assert len(told) == MAX_RECOVERED
    assert (told[0], told[-1].end) == (Period(at(25), at(30)), at(39 + 4 * MAX_RECOVERED))
