"""What the pages of completeness show, built from balances: every register's sum, and who or what answers for it."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from app.completeness import Booked, MachineBalance, MeterBalance
from app.pages.completeness_rows import (
    BoundView,
    DeclaredRow,
    FleetMonth,
    FleetRow,
    Group,
    MachineMonth,
    MeterSection,
    MonthChoice,
    StretchRow,
    SumRow,
    TotalSection,
)
from app.pages.format import NOTHING, State, billed, finely, minute, moment
from metering.completeness.balance import Balance, Bound, Kind, Line, Share
from metering.completeness.declaration import Declaration
from metering.period import QUARTER_HOUR, Period, quarter_start
from metering.register import billed_unit
from metering.session import Cutting

LEAD = "spindle_on"
TIMES = ("power_on", "program_run", "auto_run", "spindle_on", "cutting", "unknown")
_COLUMNS = (("power_on", "Power on h"), ("program_run", "Program h"), ("spindle_on", "Spindle h"))
_ORDER = (Kind.DECLARED, Kind.EXEMPT, Kind.IDLE, Kind.GAP, Kind.SUBSTITUTE)
_STRETCHES_SHOWN = 200
_CUTTINGS = {
    Cutting.SIGNED: State("signed begin and end", "good"),
    Cutting.BY_SERVICE: State("cut at quarter hours"),
    Cutting.RUNNING: State("running"),
}


def fleet_month(found: Sequence[MachineBalance], month: MonthChoice, register: str) -> FleetMonth:
    """All machines' balances by one register."""
    lines = [(each, each.line(register)) for each in found if each.meters]
    total = sum(line.unexplained for _, line in lines)
    rows = tuple(
        FleetRow(each.machine.id, each.machine.name, _serials(each), _sum_row(line, known=_is_bounded(each)))
        for each, line in lines
    )
    known = {code for each, _ in lines for code in each.codes()}
    word, kind = ("all explained", "good") if not total else ("unexplained", "warn")
    return FleetMonth(
        month,
        register,
        tuple(sorted({*known, register})),
        billed_unit(register),
        finely(register, total),
        State(word if rows else "no meter", kind if rows else ""),
        rows,
    )


def machine_month(found: MachineBalance, month: MonthChoice) -> MachineMonth:
    """One machine's balances, down to stretches and their readings."""
    zone = found.machine.zone
    return MachineMonth(
        found.machine.id,
        found.machine.name,
        zone,
        month,
        tuple(_section(each, zone) for each in found.meters),
        tuple(_declared(each, zone) for each in found.declared),
        _total(found) if len(found.meters) > 1 else None,
    )


def _total(found: MachineBalance) -> TotalSection:
    known, lead = _is_bounded(found), found.line(LEAD)
    rows = {code: _sum_row(found.line(code), known=known) for code in found.codes()}
    return TotalSection(
        len(found.meters),
        state_of(lead, known=known),
        finely(LEAD, lead.unexplained),
        tuple(rows[code] for code in TIMES if code in rows),
        tuple(row for code, row in rows.items() if code not in TIMES),
    )


def _serials(found: MachineBalance) -> str:
    return ", ".join(one.meter.serial for one in found.meters)


def _is_bounded(found: MachineBalance) -> bool:
    return any(one.balance.opening is not None for one in found.meters)


def state_of(line: Line, *, known: bool) -> State:
    """How a register's sum stands; not `known` where no reading bounds it."""
    if not known:
        return State("no readings")
    if line.adrift:
        return State("usage and readings differ", "bad")
    return State("unexplained", "warn") if line.unexplained else State("explained", "good")


def _section(found: MeterBalance, zone: str) -> MeterSection:
    balance = found.balance
    lines = {line.code: line for line in balance.lines()}
    lead, known = balance.line(LEAD), balance.opening is not None
    columns = _columns(balance)
    booked = [share for share in balance.shares if share.kind is Kind.BOOKING]
    outside = [share for share in balance.shares if share.kind is Kind.OUTSIDE]
    return MeterSection(
        meter_id=found.meter.id,
        serial=found.meter.serial,
        state=state_of(lead, known=known),
        unexplained=finely(LEAD, lead.unexplained),
        replayed=any(share.replayed for share in balance.shares),
        opening=_bound(balance.opening, zone),
        closing=_bound(balance.closing, zone),
        times=tuple(_sum_row(lines[code], known=balance.opening is not None) for code in TIMES if code in lines),
        others=tuple(
            _sum_row(line, known=balance.opening is not None) for code, line in lines.items() if code not in TIMES
        ),
        columns=tuple(label for _, label in columns),
        bookings=tuple(_booking(share, found.bookings[share.key], columns, zone) for share in booked),
        groups=tuple(_groups(balance.shares, columns, zone)),
        outside=tuple(_stretch(share, columns, zone) for share in outside[-_STRETCHES_SHOWN:]),
        more_outside=max(len(outside) - _STRETCHES_SHOWN, 0),
    )


def _columns(balance: Balance) -> list[tuple[str, str]]:
    """The registers that every share is told by: those of the usual ones that the meter has, and all travel."""
    codes = balance.codes()
    return [each for each in _COLUMNS if each[0] in codes] + (
        [("travel", "Axis km")] if any(code.startswith("travel") for code in codes) else []
    )


def _sum_row(line: Line, *, known: bool) -> SumRow:
    figures = (line.opening, line.booked, line.explained, line.unexplained, line.closing)
    opening, booked, explained, unexplained, closing = (
        finely(line.code, figure) if known else NOTHING for figure in figures
    )
    unit = billed_unit(line.code)
    state = state_of(line, known=known)
    return SumRow(line.code, unit, opening, booked, explained, unexplained, closing, state)


def _bound(bound: Bound | None, zone: str) -> BoundView | None:
    return BoundView(bound.sequence, moment(bound.at, zone), bound.between) if bound else None


def _booking(share: Share, booked: Booked, columns: Sequence[tuple[str, str]], zone: str) -> StretchRow:
    over = booked.billed.start < booked.slot.start or booked.billed.end > booked.slot.end
    # Of a session over a change of meters, neither meter has both ends.
    session = _CUTTINGS.get(booked.cutting) if booked.cutting and not booked.parted else None
    parted = (State("over a change of meters"),) if booked.parted else ()
    marks = (*((session,) if session else ()), *parted, *((State("beyond its slot", "warn"),) if over else ()))
    return _row(share, booked.lessee, booked.here, columns, zone, marks)


def _groups(shares: Iterable[Share], columns: Sequence[tuple[str, str]], zone: str) -> Iterator[Group]:
    """By explanation; what the owner declared first, then what the machine itself tells."""
    named: dict[tuple[Kind, str], list[Share]] = {}
    for share in shares:
        if share.kind in _ORDER:
            named.setdefault((share.kind, share.name), []).append(share)
    for (_, name), stretches in sorted(named.items(), key=lambda item: (_ORDER.index(item[0][0]), item[0][1])):
        shown = tuple(_stretch(share, columns, zone) for share in stretches[:_STRETCHES_SHOWN])
        yield Group(name, len(stretches), _figures(stretches, columns), shown, len(stretches) - len(shown))


def _stretch(share: Share, columns: Sequence[tuple[str, str]], zone: str) -> StretchRow:
    return _row(share, share.name, share.period, columns, zone, ())


def _row(
    share: Share, name: str, shown: Period, columns: Sequence[tuple[str, str]], zone: str, marks: tuple[State, ...]
) -> StretchRow:
    end = quarter_start(share.period.end + QUARTER_HOUR - timedelta(microseconds=1))
    return StretchRow(
        name=name,
        start=minute(shown.start, zone),
        end=_end(shown, zone),
        from_at=quarter_start(share.period.start).isoformat(),
        to_at=end.isoformat(),
        figures=_figures([share], columns),
        marks=(*marks, *_marks(share)),
        first=share.evidence[0],
        last=share.evidence[1],
    )


def _marks(share: Share) -> Iterator[State]:
    if share.substitute and share.kind is not Kind.SUBSTITUTE:
        yield State("with substitutes", "warn")
    if share.unsynchronised:
        yield State("clock not synchronised", "warn")


def _figures(shares: Iterable[Share], columns: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    summed = list(shares)
    sums = (
        (code, sum(value for share in summed for each, value in share.deltas.items() if _counts(each, code)))
        for code, _ in columns
    )
    return tuple(billed("travel.X", value, 3) if code == "travel" else finely(code, value) for code, value in sums)


def _counts(code: str, column: str) -> bool:
    return code.startswith("travel") if column == "travel" else code == column


def _end(period: Period, zone: str) -> str:
    """The end's time alone where it is of the same day."""
    start, end = minute(period.start, zone), minute(period.end, zone)
    return end[11:] if start[:10] == end[:10] else end


def _declared(each: Declaration, zone: str) -> DeclaredRow:
    return DeclaredRow(
        id=each.id,
        start=minute(each.period.start, zone),
        end=_end(each.period, zone),
        kind=each.kind.label,
        note=each.note,
        by=each.by,
        recorded_at=minute(each.recorded_at, zone),
    )


def month_choice(value: str) -> MonthChoice:
    """The month `value` (2026-05) with its neighbours."""
    first = datetime.strptime(value, "%Y-%m").date()  # noqa: DTZ007 (a calendar month has no zone)
    before, after = first - timedelta(days=1), (first.replace(day=28) + timedelta(days=4))
    return MonthChoice(value, f"{before:%Y-%m}", f"{after:%Y-%m}")
