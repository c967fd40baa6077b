"""What a counter's unusual steps mean: one policy per counter, and the exact arithmetic of one step under it.

A counter of a control or a meter only grows, but for a reset, a roll-over, a restart from an older value, or another
device in its place. Which of these a step is, and what it counts for, is decided here and named; integers only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

HOUR_MS = 3_600_000
_DRIFT_PPM = 500


class Event(StrEnum):
    """What a counter did other than grow. The names stand in sealed records: `counter_event.<counter>.<event>`."""

    RESET = "reset"
    STEP_BACK = "step_back"
    ROLL_OVER = "roll_over"
    REPLACED = "replaced"
    TOO_FAST = "too_fast"
    GAP_LEFT_OPEN = "gap_left_open"
    OUT_OF_RANGE = "out_of_range"


class Begin(StrEnum):
    """From where a counter goes on after a reset or a replacement."""

    NEW_BASE = "new_base"
    FROM_ZERO = "from_zero"


class StepBack(StrEnum):
    """What a fall means that is no reset: counting goes on from there, or not before the old value is passed."""

    NEW_BASE = "new_base"
    HOLD = "hold"


class TooFast(StrEnum):
    """What growth beyond the bound counts for: nothing, or as much as the bound allows."""

    REFUSE = "refuse"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class CounterPolicy:
    """How one counter's steps are judged. Quantities in the signal's own unit (ms, mWh, pieces).

    `reset_at_most`: a fall to this or less is a reset. `modulus`: the counter goes on with 0 there (0: it never does).
    `replaced_at_ms`: moments from which on another counter is read (ms since 1970), beside a changed serial number.
    `most_per_hour`: no counter grows faster (0: no bound), but for one `step`, its resolution or how much it may show
    late. `closes_gaps`: whether what it grew by while it was not seen counts.
    """

    reset: Begin = Begin.NEW_BASE
    reset_at_most: int = 0
    step_back: StepBack = StepBack.NEW_BASE
    modulus: int = 0
    replacement: Begin = Begin.NEW_BASE
    replaced_at_ms: tuple[int, ...] = ()
    most_per_hour: int = 0
    step: int = 0
    too_fast: TooFast = TooFast.REFUSE
    closes_gaps: bool = True


TIME = CounterPolicy(most_per_hour=HOUR_MS + HOUR_MS * _DRIFT_PPM // 1_000_000, step=HOUR_MS)
"""Of time counters: no faster than real time, but for the drift of clocks; refreshed once an hour at the least."""
_PLAIN = CounterPolicy()


def is_counter(signal: str) -> bool:
    """Whether the signal is a cumulative counter of the machine: `energy`, `parts`, `counter.<name>`."""
    return signal in ("energy", "parts") or (signal.startswith("counter.") and signal.count(".") == 1)


def default_policy(signal: str) -> CounterPolicy:
    """The policy of a counter of which the profile says nothing."""
    return TIME if signal.startswith("counter.") else _PLAIN


def policy_of(policies: Mapping[str, CounterPolicy], signal: str) -> CounterPolicy:
    return policies.get(signal) or default_policy(signal)


@dataclass(frozen=True, slots=True)
class Step:
    """What a counter's new value counts for. `plain` is what it would without any policy: its growth, at least 0.

    `of_gap`: it was not seen for a while before. `begun`: counting goes on from a new base.
    """

    counted: int
    plain: int
    events: tuple[Event, ...] = ()
    of_gap: bool = False
    begun: bool = False


@dataclass(slots=True)
class CounterMemory:
    """What is remembered of a counter: the value it counts from, the newest value, and when that was (ms).

    `room` is how much it may still run ahead of `most_per_hour`, times an hour in ms; None: one whole step.
    """

    base: int | None = None
    last: int | None = None
    at: int = 0
    gap: bool = False
    room: int | None = None
    replaced: bool = False

    def interrupted(self) -> None:
        """It was not seen for a while: what it did meanwhile is of a gap."""
        self.gap = self.base is not None

    def replace(self) -> None:
        """From its next value on it is another counter."""
        self.replaced = self.base is not None

    def take(self, value: int, now: int, policy: CounterPolicy) -> Step:
        """Judge the new `value` at `now` (ms), and remember it."""
        plain = max(0, value - self.last) if self.last is not None else 0
        fell = self.last is not None and value < self.last
        self.last = value
        if value < 0 or (policy.modulus and value >= policy.modulus):
            return Step(0, plain, (Event.OUT_OF_RANGE,))
        if self.base is None:
            self.base, self.at = value, now
            return Step(0, plain, begun=True)
        allowed = self._allowed(now, policy)
        event, grown, base = self._judge(self.base, value, now, policy, allowed, fell)
        of_gap, events = self.gap, [event] if event else []
        if of_gap and not policy.closes_gaps and grown and event is not Event.REPLACED:
            grown, base = 0, value
            events.append(Event.GAP_LEFT_OPEN)
        if allowed is not None and grown > allowed:
            grown = allowed if policy.too_fast is TooFast.CUT else 0
            events.append(Event.TOO_FAST)
        begun = not grown and (base != self.base or self.replaced)
        self._remember(base, now, grown, policy, moved=bool(grown or events))
        return Step(grown, plain, tuple(events), of_gap, begun)

    def _judge(
        self, base: int, value: int, now: int, policy: CounterPolicy, allowed: int | None, fell: bool
    ) -> tuple[Event | None, int, int]:
        """What the step is, how much it grew by, and the base from then on."""
        if self.replaced or any(self.at < moment <= now for moment in policy.replaced_at_ms):
            return Event.REPLACED, value if policy.replacement is Begin.FROM_ZERO else 0, value
        if value >= base:
            return None, value - base, value
        if policy.modulus:
            forward = (value - base) % policy.modulus
            if forward <= (policy.modulus // 2 if allowed is None else allowed):
                return Event.ROLL_OVER, forward, value
        if value <= policy.reset_at_most:
            return (Event.RESET if fell else None), value if policy.reset is Begin.FROM_ZERO else 0, value
        kept = base if policy.step_back is StepBack.HOLD else value
        return (Event.STEP_BACK if fell else None), 0, kept

    def _allowed(self, now: int, policy: CounterPolicy) -> int | None:
        """How much it can have grown by since its newest value; None: there is no bound."""
        return self._room(now, policy) // HOUR_MS if policy.most_per_hour else None

    def _room(self, now: int, policy: CounterPolicy) -> int:
        before = policy.step * HOUR_MS if self.room is None else self.room
        return before + max(0, now - self.at) * policy.most_per_hour

    def _remember(self, base: int, now: int, grown: int, policy: CounterPolicy, *, moved: bool) -> None:
        left = self._room(now, policy) - grown * HOUR_MS
        self.room = max(0, min(left, policy.step * HOUR_MS)) if policy.most_per_hour else None
        self.base, self.at, self.replaced = base, max(self.at, now), False
        if moved or not policy.closes_gaps:
            self.gap = False
