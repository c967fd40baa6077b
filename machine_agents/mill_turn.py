"""A mill-turn machine with its control, moved second by second: what the seeded model is played on.

Two spindles (S1 turning, S2 milling), axes X, Y, Z, a path feed, and a control that keeps its own counters with a
resolution of one second and publishes them every `POLL_MS`, as real controls do: `auto` also counts while the program
is held or runs in MDI, `cut` only at cutting feed in automatic mode.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from machine_agents.observation import Observation
from machine_agents.source_time import from_ms

POLL_MS = 20_000
RAPID_UM_S = 400_000
SPINDLES = ("S1", "S2")
AXES = ("X", "Y", "Z")
SIGNALS = (
    *("power", "mode", "execution", "feed", "parts", "counter.power_on", "counter.auto", "counter.cut"),
    *(f"spindle.{name}.{what}" for name in SPINDLES for what in ("speed", "load")),
    *(f"axis.{name}.position" for name in AXES),
)

Value = int | str | bool | None


@dataclass(slots=True)
class MillTurn:
    """The machine's state at `now` (ms since 1970), and the observations made since they were last taken."""

    now: int
    line_up: bool = True
    truth: dict[str, Value] = field(default_factory=lambda: {"power": False})
    told: dict[str, Value] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=lambda: {"power_on": 47_000_000_321, "auto": 0, "cut": 0})
    positions: dict[str, int] = field(default_factory=lambda: {"X": 250_000, "Y": 0, "Z": 400_000})
    parts: int = 0
    made: list[Observation] = field(default_factory=list)

    def take(self) -> list[Observation]:
        """The observations made since the last call."""
        made, self.made = self.made, []
        return made

    def set(self, **values: Value) -> None:
        """Set plain signals by name (power, mode, execution, feed)."""
        for name, value in values.items():
            self.truth[name] = value
            self._tell(name, value)

    def spin(self, spindle: str, speed_per_min: int, load_permille: int) -> None:
        """Turn a spindle at a speed and load."""
        self.truth[f"spindle.{spindle}.speed"] = speed_per_min * 1000
        self._tell(f"spindle.{spindle}.speed", speed_per_min * 1000)
        self.truth[f"spindle.{spindle}.load"] = load_permille
        self._tell(f"spindle.{spindle}.load", load_permille)

    def wait(self, length_ms: int) -> None:
        """Let time pass; the counters run, and are published whenever a poll is due."""
        self._pass(length_ms, {})

    def move(self, targets: Mapping[str, int], feed_um_s: int) -> None:
        """Move axes on a straight line to `targets` (um) with a path feed; above the cutting feed it is a rapid."""
        path = max((abs(target - self.positions[axis]) for axis, target in targets.items()), default=0)
        if path:
            self.set(feed=feed_um_s)
            self._pass(max(path * 1000 // feed_um_s, 1), targets)

    def finish_part(self) -> None:
        """Count a part."""
        self.parts += 1
        self._tell("parts", self.parts)

    def switch_on(self) -> None:
        """The control starts: every signal gets its value."""
        self.set(power=True, mode="manual", execution="stopped", feed=0)
        for spindle in SPINDLES:
            self.spin(spindle, 0, 0)
        self._tell("parts", self.parts)
        self._tell_positions(AXES)
        self._tell_counters()

    def switch_off(self) -> None:
        """The control is switched off, and then nothing has a value any more."""
        self._tell_counters()
        self.set(power=False)
        self.now += 2_000
        self.cut_line()
        self.line_up = True

    def cut_line(self) -> None:
        """The line to the control drops: every signal becomes unavailable, while the machine goes on."""
        for signal in SIGNALS:
            if signal != "power" or self.truth["power"]:
                self._tell(signal, None)
        self.line_up = False

    def mend_line(self) -> None:
        """The line is back: every signal is told anew."""
        self.line_up = True
        for signal, value in self.truth.items():
            self._tell(signal, value)
        self._tell("parts", self.parts)
        self._tell_positions(AXES)
        self._tell_counters()

    def _pass(self, length_ms: int, targets: Mapping[str, int]) -> None:
        start, begun = dict(self.positions), self.now
        end = begun + length_ms
        while self.now < end:
            step = min(POLL_MS - self.now % POLL_MS, end - self.now)
            self._count(step)
            self.now += step
            for axis, target in targets.items():
                self.positions[axis] = start[axis] + (target - start[axis]) * (self.now - begun) // length_ms
            if self.now % POLL_MS == 0:
                self._tell_counters()
                self._tell_positions(targets)
        self._tell_positions(targets)

    def _count(self, length_ms: int) -> None:
        truth = self.truth
        if not truth["power"]:
            return
        self.counters["power_on"] += length_ms
        if truth["execution"] in ("active", "interrupted", "feed_hold") and truth["mode"] in ("automatic", "mdi"):
            self.counters["auto"] += length_ms
        cutting = truth["execution"] == "active" and truth["mode"] == "automatic"
        feed = truth["feed"]
        if cutting and isinstance(feed, int) and 0 < feed < RAPID_UM_S // 10:
            self.counters["cut"] += length_ms

    def _tell_counters(self) -> None:
        if self.truth["power"]:
            for name, value in self.counters.items():
                self._tell(f"counter.{name}", value // 1000 * 1000)

    def _tell_positions(self, axes: Mapping[str, int] | tuple[str, ...]) -> None:
        for axis in axes:
            self._tell(f"axis.{axis}.position", self.positions[axis])

    def _tell(self, signal: str, value: Value) -> None:
        if self.line_up and self.told.get(signal, _NOTHING) != value:
            self.told[signal] = value
            self.made.append(Observation(signal, value, from_ms(self.now)))


_NOTHING = object()
