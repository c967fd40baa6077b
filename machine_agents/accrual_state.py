"""What a meter remembers between two observations: registers, the values in force, and whether the source lives."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from machine_agents.counter_policy import CounterMemory
from machine_agents.counters import OWN, ControlCounter
from machine_agents.signal_codes import codes_of
from machine_agents.source_time import from_ms, to_ms
from machine_agents.spindle import Spindle as Spindle
from metering.reading import Reading, Reason
from metering.spectrum import Spectrum

if TYPE_CHECKING:
    from machine_agents.counting import CounterEvent

Value: TypeAlias = int | str | bool | None
Pending: TypeAlias = tuple[int, str, Value]
"""Source time in microseconds since 1970, signal, value."""
Planned: TypeAlias = tuple[int, Reason, str | None]
"""A moment to cut at (milliseconds since 1970), why, and the session that begins or ends there."""
Stretch: TypeAlias = tuple[int, int]
"""From and to, in milliseconds since 1970."""

QUARTER_MS = 900_000
FOR_EVER = 2**62
"""A moment, in milliseconds since 1970, that does not come."""
_MREV_DIVISOR = 60_000  # 1/1000 per minute x ms -> 1/1000 rev


@dataclass(slots=True)
class AccrualState:
    """Everything that must survive a restart. Mutable; owned by one agent; saved as JSON with the readings."""

    settled: int
    next_cut: int
    last_cut: int
    asleep_since: int | None
    registers: dict[str, int] = field(default_factory=lambda: {"unknown": 0})
    values: dict[str, Value] = field(default_factory=dict)
    seen: dict[str, tuple[int, tuple[Value, ...]]] = field(default_factory=dict)
    spindles: dict[str, Spindle] = field(default_factory=dict)
    axes: dict[str, int | None] = field(default_factory=dict)
    totals: dict[str, CounterMemory] = field(default_factory=dict)
    counters: dict[str, ControlCounter] = field(default_factory=dict)
    serials: dict[str, str] = field(default_factory=dict)
    tool: str | None = None
    hold: int = 0
    held_since: int | None = None
    life_end: int = 0
    longest_gap: Stretch | None = None
    suppressed: bool = False
    replayed: bool = False
    pending: list[Pending] = field(default_factory=list)
    # While the source's time has not passed (accrual.fold): until when, and what each signal then is.
    doubted_until: int = 0
    held: dict[str, Value] = field(default_factory=dict)
    # Signals of which values may have been lost; true from when on they are unknown.
    lost: dict[str, bool] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=lambda: {"duplicate": 0, "stale": 0, "late": 0, "unmapped": 0})
    # What lies ahead of the cut plan, in order (`follow`). Not saved: the plan is kept by itself.
    planned: list[Planned] = field(default_factory=list)
    # What the last fold took, in the order it took it, and behind it what it has to say of the registers (`notes`): for
    # whoever keeps the raw observations. Not saved.
    taken: list[Pending] = field(default_factory=list)
    notes: list[Pending] = field(default_factory=list)
    # Unusual steps of counters that the last fold saw (counting.CounterEvent). Not saved.
    events: list["CounterEvent"] = field(default_factory=list)
    # Derived from the above by signals.bind and running.refresh; not saved.
    policy: object = None
    takers: dict[str, Callable[[int, Value, Value], None] | None] = field(default_factory=dict)
    known: int = 0
    running: tuple[str, ...] = ()
    idling: tuple[str, ...] = ()
    idle_until: int = 0
    holding: bool = False
    turning: tuple[tuple[str, Spindle], ...] = ()
    uncounted: tuple[str, ...] = ()

    @classmethod
    def begin(cls, at: datetime, signals: Iterable[str] = ()) -> "AccrualState":
        """A meter that starts with zero registers at `at`, the first heartbeat's time.

        `signals` are those the source will give: their registers are there (at zero) from the first reading on.
        """
        start = to_ms(at)
        state = cls(start, (start // QUARTER_MS + 1) * QUARTER_MS, start, start)
        state.registers.update({code: 0 for signal in signals for code in codes_of(signal)})
        return state

    @classmethod
    def resume(cls, last: Reading, spectrum: Spectrum) -> "AccrualState":
        """A meter that goes on from its `last` sealed reading and the spectrum's cumulative cells, and from nothing
        else: no value is known since then, so the time until the source speaks again is a gap."""
        at = to_ms(last.device_time)
        state = cls(at, (at // QUARTER_MS + 1) * QUARTER_MS, at, at)
        state.registers.update(last.registers)
        for (name, key), length in spectrum.items():
            state.spindles.setdefault(name, Spindle()).cells[key] = length
        return state

    @property
    def folded_to(self) -> datetime:
        """The moment up to which the registers count: the last watermark."""
        return from_ms(self.settled)

    def follow(self, planned: Iterable[Planned]) -> None:
        """Cut at these moments too, as far as they still lie ahead; they come in order."""
        self.planned = [cut for cut in planned if cut[0] > self.settled]
        self.next_cut = self._next_after(self.settled)

    def pass_cut(self, boundary: int) -> list[Planned]:
        """Go on to the cut after `boundary`; what was planned for that very moment, none at a mere quarter hour."""
        due = [cut for cut in self.planned if cut[0] == boundary] if self.planned else []
        self.planned = self.planned[len(due) :]
        self.next_cut = self._next_after(boundary)
        return due

    def _next_after(self, at: int) -> int:
        quarter = (at // QUARTER_MS + 1) * QUARTER_MS
        return min(quarter, self.planned[0][0]) if self.planned else quarter

    def settle(self, now: int) -> None:
        """Let every running register grow up to `now` with the values in force."""
        length = now - self.settled
        if length <= 0:
            return
        self.settled = now
        registers = self.registers
        if self.asleep_since is not None:
            registers["unknown"] += length
            return
        for code in self.running:
            registers[code] += length
        for code in self.uncounted:
            registers[code] += length
        if self.idling and (idle := min(now, self.idle_until) - now + length) > 0:
            for code in self.idling:
                registers[code] += idle
        if self.holding:
            self.hold += length
        for code, spindle in self.turning:
            grown, spindle.rest = divmod(abs(spindle.speed or 0) * length + spindle.rest, _MREV_DIVISOR)
            registers[code] += grown
            if (key := spindle.key) is not None:
                spindle.cells[key] = spindle.cells.get(key, 0) + length
                spindle.changed.add(key)

    def advance(self, now: int) -> None:
        """As `settle`, and end the proof of life where it ends on the way."""
        if now > self.life_end and self.asleep_since is None:
            self.settle(self.life_end)
            self.sleep()
        self.settle(now)

    def sleep(self) -> None:
        """From `settled` on the source is not proven alive; what moves meanwhile is not seen."""
        self.asleep_since = self.settled
        self.tool = None
        for axis in self.axes:
            self.axes[axis] = None
        for counter in self.totals.values():
            counter.interrupted()

    def wake(self) -> None:
        """At `settled` the source shows life again."""
        self.longest_gap = self.gap()
        self.asleep_since = None

    def gap(self) -> Stretch | None:
        """The longest stretch since the last cut in which the source was not proven alive."""
        stretches = [self.longest_gap] if self.longest_gap else []
        if self.asleep_since is not None and (start := max(self.asleep_since, self.last_cut)) < self.settled:
            stretches.append((start, self.settled))
        return max(stretches, key=lambda stretch: stretch[1] - stretch[0], default=None)

    def seen_ms(self, counter: str) -> Callable[[str], int]:
        """Gives the cumulative ms of each state that can explain a control counter's increase."""
        registers = self.registers
        own = OWN.get(counter, "")

        def seen(state: str) -> int:
            if state == "own":
                return registers.get(own, 0)
            if state == "hold":
                return self.hold
            return registers.get("program_run", 0) - registers.get("auto_run" if state == "mode" else "cutting", 0)

        return seen

    def to_json(self) -> str:
        """The state as compact JSON text; `from_json` gives back an equal state."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in _PLAIN}
        plain["counters"] = [[c.name, c.mark, c.credit] for c in self.counters.values()]
        plain["totals"] = {name: [c.base, c.last, c.at, c.gap, c.room, c.replaced] for name, c in self.totals.items()}
        plain["spindles"] = {
            name: [s.speed, s.load, s.rest, list(s.cells.items()), sorted(s.changed), s.rotating, s.as_axis]
            for name, s in self.spindles.items()
        }
        return json.dumps(plain, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "AccrualState":
        """The state that `to_json` wrote."""
        plain = json.loads(text)
        if "bases" in plain:
            _bring_up_to_date(plain)
        counters, spindles, totals = plain.pop("counters"), plain.pop("spindles"), plain.pop("totals")
        state = cls(**plain)
        state.totals = {name: CounterMemory(*rest) for name, rest in totals.items()}
        state.seen = {signal: (us, tuple(values)) for signal, (us, values) in state.seen.items()}
        state.pending = [(us, signal, value) for us, signal, value in state.pending]
        state.longest_gap = (state.longest_gap[0], state.longest_gap[1]) if state.longest_gap else None
        state.counters = {name: ControlCounter(name, *rest) for name, *rest in counters}
        state.spindles = {
            name: Spindle(speed, load, rest, dict(cells), set(changed), *more)
            for name, (speed, load, rest, cells, changed, *more) in spindles.items()
        }
        return state


def _bring_up_to_date(plain: dict[str, Any]) -> None:
    """A state of before counters had policies: what they counted from is all that was known of them."""
    bases = dict(plain.pop("bases")), {f"counter.{name}": base for name, base, *_ in plain["counters"]}
    gaps = {f"counter.{name}": gap for name, _, gap, *_ in plain["counters"]}
    plain["totals"] = {
        signal: [base, base, plain["settled"], gaps.get(signal, False)] for one in bases for signal, base in one.items()
    }
    plain["counters"] = [[name, mark, credit] for name, _, _, mark, credit in plain["counters"]]


_PLAIN = (
    *(
        "settled",
        "next_cut",
        "last_cut",
        "asleep_since",
        "registers",
        "values",
        "seen",
        "axes",
        "tool",
        "hold",
    ),
    *("doubted_until", "held", "lost", "serials"),
    *("held_since", "life_end", "longest_gap", "suppressed", "replayed", "pending", "dropped"),
)
