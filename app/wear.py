"""Wear on the service's database: a machine's components, and whose use wore them, by the quarter hours of the bill."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from app.database import Session
from app.places import fittings_of, places
from billing.capacity.store import LeasingStore
from metering.components.component import History
from metering.components.measure import ComponentWear, Found, measure_wear, worn_by
from metering.components.store import ComponentStore
from metering.components.use import Use
from metering.machine import Machine
from metering.parties.store import PartyStore
from metering.period import Period
from metering.store import MeteringStore, UnknownMeter
from metering.usage import Usage

OUTSIDE, IDLE = "outside", "idle"
_Who = UUID | str


class UnreadableMoment(ValueError):
    """Write a day such as 2026-05-01, or a moment such as 2026-05-01T08:00."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a lease's use took in the period; without a lease: use that nobody had booked (`outside`), or `idle`."""

    lease: UUID | None
    who: str
    worn: Found


@dataclass(frozen=True, slots=True)
class MachineWear:
    """A machine's wear at the end of `period` and in it: each component, and who wore it. `use` is the period's."""

    machine: Machine
    period: Period
    known_at: datetime | None
    components: tuple[tuple[ComponentWear, tuple[Share, ...]], ...]
    use: Use


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for, as they wrote it: days or moments by the machine's clock, "" for what is usual."""

    start: str = ""
    end: str = ""
    known_on: str = ""


def machine_called(store: MeteringStore, said: str) -> Machine:
    """The machine of this id, name or meter's serial. Raises UnknownMeter."""
    machines = store.machines()
    serials = {meter.machine_id for meter in store.meters() if meter.serial == said}
    found = [each for each in machines if said in (str(each.id), each.name) or each.id in serials]
    if len(found) > 1:
        raise UnknownMeter(
            f"{said!r} is the name of several machines; give one of {', '.join(str(one.id) for one in found)}"
        )
    if not found:
        known = ", ".join(each.name for each in machines[:20]) or "none"
        raise UnknownMeter(f"no machine {said!r} by id, name or meter; there are: {known}")
    return found[0]


def owned(session: Session, party: UUID, machine_id: UUID) -> Machine:
    """The machine, if it is the party's own. Raises UnknownMeter."""
    found = MeteringStore(session).machine(machine_id)
    if found.owner_id != party:
        raise UnknownMeter(f"no machine {machine_id} of yours")
    return found


def wear_of(session: Session, machine: Machine, asked: Asked, *, usual: timedelta | None, now: datetime) -> MachineWear:
    """The machine's wear. Without an end it is that of the newest reading; `usual` is the period's length without a
    start (None: since the first piece was fitted). Raises UnreadableMoment, PeriodError."""
    store, metering = ComponentStore(session), MeteringStore(session)
    known_at = end_of(asked.known_on, machine.zone) if asked.known_on else None
    meters = [fitted for place in fittings_of(metering, machine, known_at) for fitted in place]
    ids = [fitted.meter.id for fitted in meters]
    end = moment_in(asked.end, machine.zone) if asked.end else store.measured_until(ids, known_at=known_at) or now
    start = moment_in(asked.start, machine.zone) if asked.start else _start(store.histories(machine.id), end, usual)
    period = Period(start, end)
    found = measure_wear(machine.id, period, meters=meters, store=store, known_at=known_at)
    groups = _groups(session, machine, period, known_at) if found else {}
    names = _names(session, groups)
    components = tuple((each, tuple(_shares(each.history, period, groups, names))) for each in found)
    return MachineWear(machine, period, known_at, components, store.use(meters, period, known_at=known_at))


def moment_in(text: str, zone: str) -> datetime:
    """A day's begin, or a moment, by the clock of `zone` where it says no offset. Raises UnreadableMoment."""
    try:
        moment = datetime.fromisoformat(text.strip())
        if not 1970 <= moment.year < 2200:
            raise ValueError
    except ValueError:
        raise UnreadableMoment(f"{text!r} is no time: write a day such as 2026-05-01, or 2026-05-01T08:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))


def end_of(text: str, zone: str) -> datetime:
    """The end of a day, or a moment: all that was known on a day is known at its end."""
    moment = moment_in(text, zone)
    if len(text.strip()) > len("2026-05-01"):
        return moment
    following = date(moment.year, moment.month, moment.day) + timedelta(days=1)
    return datetime.combine(following, time(), ZoneInfo(zone))


def _start(histories: Iterable[History], end: datetime, usual: timedelta | None) -> datetime:
    if usual is not None:
        return end - usual
    fitted = [life.start for history in histories for life in history.lives()]
    return min([*(start for start in fitted if start < end), end - timedelta(days=1)])


def _groups(session: Session, machine: Machine, period: Period, known_at: datetime | None) -> dict[_Who, list[Usage]]:
    """Usage by the lease that it was for, `OUTSIDE` or `IDLE`."""
    groups: dict[_Who, list[Usage]] = {}
    for place in places(session, machine, period, known_at=known_at):
        for entry in place.use.bookings:
            if entry.usage:
                groups.setdefault(entry.booking.lease_id, []).extend(entry.usage)
        for key, rest in ((OUTSIDE, place.use.outside), (IDLE, place.use.idle)):
            if rest:
                groups.setdefault(key, []).extend(rest)
    return groups


def _names(session: Session, groups: Iterable[_Who]) -> dict[_Who, str]:
    leasing, parties = LeasingStore(session), PartyStore(session)
    names: dict[_Who, str] = {OUTSIDE: "outside any booking", IDLE: "idle"}
    for key in groups:
        if isinstance(key, UUID):
            names[key] = parties.organisation(leasing.lease(key).lessee_id).name
    return names


def _shares(
    history: History, period: Period, groups: dict[_Who, list[Usage]], names: dict[_Who, str]
) -> Iterable[Share]:
    found = worn_by(history, period, groups)
    for key in sorted(found, key=lambda each: (isinstance(each, str), names[each])):
        yield Share(key if isinstance(key, UUID) else None, names[key], found[key])
