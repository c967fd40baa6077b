"""Measured: what rating prices. Exact growth of registers in timed slices, availability, and events with evidence."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from billing.pricing.dimensions import is_dimension, is_register, known
from billing.pricing.fees import NEEDS_EVIDENCE, EventKind
from billing.pricing.fields import InvalidInput, Problem, refuse_unless
from metering.period import Period
from metering.values import columns


@lru_cache(maxsize=1024)
def _unknown(codes: tuple[str, ...]) -> tuple[str, ...]:
    """The `codes` that are no registers. Kept, because all quarter hours of a meter have the same codes."""
    return tuple(code for code in codes if not is_register(code) or code.endswith(".*"))


@dataclass(frozen=True, slots=True, order=True)
class EvidenceRange:
    """The readings whose difference a figure is: sequences `first` to `last` of the meter with serial `meter`."""

    meter: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Slice:
    """What was used in one stretch of time.

    `registers` is the growth per register code in its smallest unit, `spectrum` per (spindle, cell key) in ms.
    `quantities` are dimensions measured otherwise, in the unit that is billed. `band` names the band where the figures
    are already told apart by band; None lets the clock decide. `substitute`: values spread over a gap.
    `unsynchronised`: the clock was not known to be right, so that no band may be told from it.
    """

    period: Period
    registers: Mapping[str, int] = field(default_factory=dict)
    quantities: Mapping[str, Decimal] = field(default_factory=dict)
    spectrum: Mapping[tuple[str, int], int] = field(default_factory=dict)
    band: str | None = None
    substitute: bool = False
    evidence: tuple[EvidenceRange, ...] = ()
    unsynchronised: bool = False

    def __post_init__(self) -> None:
        codes, grown = columns(self.registers)
        problems = [
            Problem(f".registers.{code}", "is no register; see `spindleshare rate --schema usage`")
            for code in _unknown(tuple(codes))
        ]
        problems += [
            Problem(f".quantities.{name}", f"is not known; write {known()}")
            for name in self.quantities
            if not is_dimension(name)
        ]
        problems += [
            Problem(f".quantities.{name}", "is told twice: as a register and as a quantity; keep one")
            for name in self.quantities
            if name in self.registers
        ]
        fallen = [code for code, value in zip(codes, grown, strict=True) if value < 0]
        negative = [f".registers.{code}" for code in fallen]
        negative += [f".quantities.{name}" for name, used in self.quantities.items() if used < 0]
        problems += [Problem(path, "must not be negative: registers only grow") for path in negative]
        if problems:
            raise InvalidInput(problems)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened once and may have a price: `quantity` units at `at`, proven by the `evidence` ids.

    `price` is the event's own price per unit where the tariff leaves it open (a repair's bill).
    """

    kind: EventKind
    id: str
    at: datetime
    quantity: Decimal = Decimal(1)
    price: Decimal | None = None
    description: str = ""
    evidence: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        refuse_unless(
            (self.quantity >= 0, ".quantity", "must not be negative"),
            (
                self.kind not in NEEDS_EVIDENCE or bool(self.evidence),
                ".evidence",
                f"is missing; a {self.kind.value} is only billed with the ids of what proves it",
            ),
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """A lease's use in one billing period.

    `covered` is the part of `period` in which the lease ran (it may reach beyond); fixed amounts are prorated by it.
    None: it did not run (a cancelled booking may still owe a fee).
    `zone` is the machine's: its wall clock decides bands and days. `availability_percent` is None when unknown.
    """

    period: Period
    covered: Period | None
    zone: str
    slices: tuple[Slice, ...] = ()
    availability_percent: Decimal | None = None
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        known_zone = is_zone(self.zone)
        percent = self.availability_percent
        refuse_unless(
            (known_zone, ".zone", f"{self.zone!r} is no time zone; write one such as Asia/Shanghai"),
            (
                percent is None or 0 <= percent <= 100,
                ".availability_percent",
                "write a percentage from 0 to 100",
            ),
            (
                self.covered is None or self.period.overlaps(self.covered),
                ".covered",
                "does not touch the period; write null where the lease did not run in it",
            ),
        )
        outside = [index for index, part in enumerate(self.slices) if not self.period.covers(part.period)]
        if outside:
            raise InvalidInput([Problem(f".slices[{index}]", "lies outside the period") for index in outside[:20]])

    @property
    def clock(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


def is_zone(name: str) -> bool:
    """Whether `name` is an IANA time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
