"""The small values that the pages of completeness show."""

from dataclasses import dataclass
from uuid import UUID

from app.pages.format import State


@dataclass(frozen=True, slots=True)
class SumRow:
    """One register (or, in the overview, one machine's chosen register): opening to closing, in its billed unit."""

    code: str
    unit: str
    opening: str
    booked: str
    explained: str
    unexplained: str
    closing: str
    state: State


@dataclass(frozen=True, slots=True)
class StretchRow:
    """Growth under one explanation in one stretch. `start` and `end` as people read them, `from_at` and `to_at` as a
    form sends them: widened to quarter hours."""

    name: str
    start: str
    end: str
    from_at: str
    to_at: str
    figures: tuple[str, ...]
    marks: tuple[State, ...]
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Group:
    """All stretches under one explanation, with their sum."""

    name: str
    count: int
    figures: tuple[str, ...]
    rows: tuple[StretchRow, ...]
    more: int


@dataclass(frozen=True, slots=True)
class BoundView:
    """The reading at one end of the period."""

    sequence: int
    at: str
    between: bool


@dataclass(frozen=True, slots=True)
class MeterSection:
    meter_id: UUID
    serial: str
    state: State
    unexplained: str
    replayed: bool
    opening: BoundView | None
    closing: BoundView | None
    times: tuple[SumRow, ...]
    others: tuple[SumRow, ...]
    columns: tuple[str, ...]
    bookings: tuple[StretchRow, ...]
    groups: tuple[Group, ...]
    outside: tuple[StretchRow, ...]
    more_outside: int


@dataclass(frozen=True, slots=True)
class TotalSection:
    """A machine's sums over its meters, where it had several in the month."""

    count: int
    state: State
    unexplained: str
    times: tuple[SumRow, ...]
    others: tuple[SumRow, ...]


@dataclass(frozen=True, slots=True)
class DeclaredRow:
    id: UUID
    start: str
    end: str
    kind: str
    note: str
    by: str
    recorded_at: str


@dataclass(frozen=True, slots=True)
class MonthChoice:
    """The month shown, and its neighbours, as addresses write them."""

    value: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class MachineMonth:
    machine_id: UUID
    name: str
    zone: str
    month: MonthChoice
    meters: tuple[MeterSection, ...]
    declared: tuple[DeclaredRow, ...]
    total: TotalSection | None = None


@dataclass(frozen=True, slots=True)
class FleetRow:
    machine_id: UUID
    machine: str
    serial: str
    sum: SumRow


@dataclass(frozen=True, slots=True)
class FleetMonth:
    """Every machine's sum of one register, over its meters. `unexplained` is over all of them."""

    month: MonthChoice
    register: str
    registers: tuple[str, ...]
    unit: str
    unexplained: str
    state: State
    rows: tuple[FleetRow, ...]
