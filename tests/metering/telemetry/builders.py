"""Segments of telemetry for tests: folded by the agent's own accrual, packed as the agent packs them."""

import gzip
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from machine_agents.accrual import AccrualState, Policy, fold
from machine_agents.observation import Observation
from machine_agents.observation_log import opening_of
from machine_agents.shortfall import may_lose
from machine_agents.source_time import to_ms
from metering.telemetry.rollup import COVERED
from metering.telemetry.segment import Delivery, Header, Segment, delivery_line, header_line, parse

START = datetime(2026, 3, 2, 8, tzinfo=UTC)


class Told(NamedTuple):
    """A delivery as the meter folds it: values of `lost` may be missing before, `doubted_ms` have not passed."""

    observations: Sequence[Observation]
    heartbeat: datetime | None
    lost: Sequence[str] = ()
    doubted_ms: int = 0


@dataclass
class Agent:
    """Folds deliveries and writes down what was taken, as the agent's log does."""

    policy: Policy
    state: AccrualState
    meter: str = "SM-1"
    segments: list[Segment] = field(default_factory=list)
    row: int = 1

    def segment(self, deliveries: Iterable[Told | tuple[Sequence[Observation], datetime | None]]) -> Segment:
        """One segment of these deliveries, each with its heartbeat."""
        policy = {name: value for name, value in asdict(self.policy).items() if type(value) is int}
        header = Header(self.meter, len(self.segments) + 1, self.row, policy, opening_of(self.state))
        taken = []
        for told in (Told(*delivery) for delivery in deliveries):
            after_ms = self.state.settled
            observations = [*may_lose(self.state, told.lost), *told.observations] if told.lost else told.observations
            fold(self.state, observations, told.heartbeat, self.policy, doubted_ms=told.doubted_ms)
            taken.append(Delivery(self.row, after_ms, self.state.settled, tuple(self.state.taken)))
            self.row += len(self.state.taken)
        self.segments.append(parse(text_of(Segment(header, tuple(taken)))))
        return self.segments[-1]


def agent(*, begin: datetime = START, signals: Iterable[str] = (), policy: Policy | None = None) -> Agent:
    return Agent(policy or Policy(silence_ms=30_000), AccrualState.begin(begin, signals))


def text_of(segment: Segment) -> bytes:
    lines = (delivery_line(one.row, one.after_ms, one.until_ms, one.taken) for one in segment.deliveries)
    return "".join([header_line(segment.header), *lines]).encode()


def packed(segment: Segment) -> bytes:
    return gzip.compress(text_of(segment), mtime=0)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def seen(seconds: float, signal: str, value: int | str | bool | None) -> Observation:
    return Observation(signal, value, at(seconds))


def working(*, seconds: int, step: int = 10, start: int = 0) -> list[tuple[Sequence[Observation], datetime]]:
    """A machine that turns and moves: a delivery every `step` seconds."""
    return [
        (
            [
                seen(now, "power", True),
                seen(now, "spindle.S1.speed", (now * 7919) % 5_000_000),
                seen(now, "spindle.S1.load", now % 900),
                seen(now, "axis.X.position", now * 37 % 100_000),
                seen(now, "heartbeat", to_ms(at(now))),
            ],
            at(now),
        )
        for now in range(start, start + seconds, step)
    ]


def registers(state: AccrualState) -> dict[str | tuple[str, int], int]:
    """What the roll-up must give in sum: registers and spectrum cells that are not zero."""
    grown: dict[str | tuple[str, int], int] = {
        code: value for code, value in state.registers.items() if value and code.partition(".")[0] in COVERED
    }
    for name, spindle in state.spindles.items():
        grown |= {(f"spectrum.{name}", key): value for key, value in spindle.cells.items()}
    return grown
