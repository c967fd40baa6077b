"""The seeded model of a shop with one mill-turn machine: recordings of our own, and the machine at work afterwards.

Two shifts, Monday to Friday 04:00-20:00 UTC; jobs with a set-up, a batch of parts, holds, waiting and breaks; the
control off at night and at weekends; now and then the line drops for a minute or two while the machine goes on.
"""

import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import dropwhile, takewhile
from pathlib import Path
from random import Random

from machine_agents.mill_turn import RAPID_UM_S, SIGNALS, MillTurn
from machine_agents.observation import Observation
from machine_agents.recording_text import Header, header_text, line_text
from machine_agents.source_time import from_ms, to_ms

MACHINE = "MT-2 mill-turn (seeded model)"
SILENCE_MS = 30_000
OPENS, CLOSES = 4, 20
_SECOND, _MINUTE, _HOUR = 1000, 60_000, 3_600_000
_WATCHED_IDLE_MS = 5_000


def write_recording(path: Path, *, seed: int, end: datetime, days: int = 30) -> Header:
    """Write the model's recording of the `days` up to `end` (UTC, cut to the second); .xz when `path` ends so.

    The same arguments give the same file, byte for byte.
    """
    end = end.astimezone(UTC).replace(microsecond=0)
    header = Header(MACHINE, f"MODEL-{seed}", True, end - timedelta(days=days), end, SIGNALS, silence_ms=SILENCE_MS)
    partial = path.with_name(path.name + ".part")
    packed = path.suffix == ".xz"
    with lzma.open(partial, "wt", preset=1) if packed else partial.open("w", encoding="utf-8") as stream:
        stream.write(header_text(header))
        stream.writelines(map(line_text, recorded(seed=seed, begin=header.begin, end=end)))
    partial.replace(path)
    return header


def recorded(*, seed: int, begin: datetime, end: datetime) -> Iterator[Observation]:
    """The model's observations in [begin, end), by source time."""
    return takewhile(lambda seen: seen.source_time < end, _work(seed, begin, end))


def live(*, seed: int, begin: datetime, end: datetime) -> Iterator[Observation]:
    """The same machine's observations from `end` on, without end: from then on the shop never closes."""
    return dropwhile(lambda seen: seen.source_time < end, _work(seed, begin, end))


def _work(seed: int, begin: datetime, end: datetime) -> Iterator[Observation]:
    shop = _Shop(Random(seed), MillTurn(to_ms(begin)), to_ms(end))
    shop.machine.set(power=False)
    while True:
        shop.next_doing()
        yield from shop.machine.take()


@dataclass(frozen=True, slots=True)
class _Operation:
    """One tool's work on a part: passes along Z (turning, S1) or X (milling, S2)."""

    spindle: str
    speed: int
    load: int
    feed: int
    passes: int
    length: int


@dataclass(slots=True)
class _Shop:
    random: Random
    machine: MillTurn
    never_closes_from: int
    operations: tuple[_Operation, ...] = ()
    parts_left: int = 0
    break_due: int = 0

    def next_doing(self) -> None:
        """Do the next thing: sleep, switch on, break, set up or make a part."""
        machine = self.machine
        opening = self._opening()
        if opening > machine.now:
            if machine.truth["power"]:
                machine.switch_off()
            late = self.random.randrange(5 * _MINUTE)
            machine.now = max(opening + (0 if opening >= self.never_closes_from else late), machine.now)
            self._start_up()
        elif not machine.truth["power"]:
            self._start_up()
        elif machine.now >= self.break_due:
            self._idle(self._between(25, 45) * _MINUTE)
            self.break_due = machine.now + self._between(180, 260) * _MINUTE
        elif not self.parts_left:
            self._set_up()
        else:
            self._make_part()

    def _opening(self) -> int:
        """When the shop is open next: now or later."""
        now = self.machine.now
        moment = from_ms(now)
        day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        while day.weekday() >= 5 or moment >= day + timedelta(hours=CLOSES):
            day += timedelta(days=1)
            moment = day
        return min(max(to_ms(day + timedelta(hours=OPENS)), now), max(self.never_closes_from, now))

    def _start_up(self) -> None:
        machine = self.machine
        machine.switch_on()
        self.break_due = machine.now + self._between(180, 260) * _MINUTE
        self._idle(self._between(3, 12) * _MINUTE)
        machine.set(mode="mdi", execution="active")
        machine.move({"X": 250_000, "Z": 400_000}, RAPID_UM_S // 2)
        for speed in (1000, 2500, 4000):  # warm-up: turns, does not cut
            machine.spin("S2", speed, self._between(20, 50))
            machine.wait(self._between(40, 80) * _SECOND)
        machine.spin("S2", 0, 0)
        machine.set(mode="manual", execution="stopped", feed=0)

    def _set_up(self) -> None:
        machine = self.machine
        machine.set(mode="manual", execution="stopped", feed=0)
        self._idle(self._between(60, 240) * _MINUTE)
        machine.set(mode="setup")
        for _ in range(self._between(6, 14)):
            machine.move({"X": self._between(20, 250) * 1000, "Z": self._between(20, 400) * 1000}, RAPID_UM_S // 8)
            machine.set(feed=0)
            self._idle(self._between(1, 4) * _MINUTE)
        self.operations = tuple(self._operation() for _ in range(self._between(3, 5)))
        self.parts_left = self._between(10, 30)

    def _operation(self) -> _Operation:
        if self.random.random() < 0.55:
            speed, feed = self._between(8, 36) * 100, self._between(1500, 4000)
            return _Operation("S1", speed, self._between(150, 750), feed, self._between(3, 7), self._between(60, 180))
        speed, feed = self._between(20, 90) * 100, self._between(2500, 7000)
        return _Operation("S2", speed, self._between(100, 550), feed, self._between(4, 9), self._between(60, 200))

    def _make_part(self) -> None:
        machine = self.machine
        machine.set(mode="automatic", execution="active")
        for operation in self.operations:
            self._machine_with(operation)
        machine.finish_part()
        self.parts_left -= 1
        machine.set(execution="ready", feed=0)
        self._idle(self._between(60, 240) * _SECOND)
        if self.random.random() < 0.02:
            self._idle(self._between(5, 40) * _MINUTE)  # waiting for material, a measurement, a person

    def _machine_with(self, operation: _Operation) -> None:
        machine = self.machine
        machine.move({"X": 250_000, "Z": 400_000}, RAPID_UM_S)
        machine.set(feed=0)
        machine.wait(self._between(4, 9) * _SECOND)  # tool change
        along, across = ("Z", "X") if operation.spindle == "S1" else ("X", "Y")
        length = operation.length * 1000
        for number in range(operation.passes):
            start = {along: length + 2_000, across: 40_000 - number * 1_500}
            machine.spin(operation.spindle, operation.speed + number * 20, self._between(20, 60))
            machine.move(start, RAPID_UM_S)
            machine.spin(operation.spindle, operation.speed + number * 20, operation.load + self._between(-50, 50))
            machine.move({along: 0}, operation.feed)
            self._perhaps_disturb()
        machine.spin(operation.spindle, 0, 0)

    def _perhaps_disturb(self) -> None:
        """A hold now and then, and seldom a dropped line."""
        machine, dice = self.machine, self.random.random()
        if dice < 0.004:
            machine.set(execution="feed_hold", feed=0)
            machine.wait(self._between(5, 60) * _SECOND)
            machine.set(execution="active")
        elif dice < 0.006:
            machine.set(execution="interrupted", feed=0)
            machine.wait(self._between(1, 8) * _MINUTE)
            machine.set(execution="active")
        elif dice < 0.0065:
            machine.cut_line()
            machine.wait(self._between(50, 140) * _SECOND)
            machine.mend_line()

    def _idle(self, length_ms: int) -> None:
        """Nothing happens, until closing time at most; and not for long any more once somebody watches."""
        now = self.machine.now
        closing = to_ms(from_ms(now).replace(hour=CLOSES, minute=0, second=0, microsecond=0))
        if now >= self.never_closes_from:
            length_ms = min(length_ms, _WATCHED_IDLE_MS)
        elif now < closing < self.never_closes_from:
            length_ms = min(length_ms, closing - now)
        else:
            length_ms = min(length_ms, self.never_closes_from - now + _WATCHED_IDLE_MS)
        self.machine.wait(length_ms)

    def _between(self, least: int, most: int) -> int:
        return self.random.randint(least, most)
