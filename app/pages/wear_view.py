"""What the page of a machine's wear shows, built from values."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from uuid import UUID
from zoneinfo import ZoneInfo

from app.pages.component_view import KindChoice, kind_choices
from app.pages.format import NOTHING, Figure, State, billed, grouped, minute, percent
from app.pages.wear_charts import HeatMap, Strip, heat_maps, left_strip, used_strip
from app.wear import MachineWear, Share
from billing.money import round_half_up
from metering.components.measure import RECENT, ComponentWear, Found, LifeWear
from metering.components.models import CannotSay, Worn
from metering.components.parameters import TITLES, Kind, Parameters, unit_of
from metering.components.use import Use
from metering.components.worth import worth_of
from metering.machine import Machine

_STATISTICAL = "Left until the rated life (early end) or the population's median (late end)"
_BY_CAPACITY = "Left until it is used up"
_MANY_DAYS, _TOO_FAR_DAYS = 730, 36_525
_WORN_OUT, _SOON = Fraction(1), Fraction(4, 5)


@dataclass(frozen=True, slots=True)
class ShareRow:
    """What a lease, use outside any booking, or idle time took in the period."""

    who: str
    share: str
    used: str
    part: str


@dataclass(frozen=True, slots=True)
class LifeRow:
    """A piece that was in before."""

    piece: str
    fitted: str
    until: str
    share: str
    used: str


@dataclass(frozen=True, slots=True)
class ComponentCard:
    id: UUID
    name: str
    title: str
    state: State
    piece: str
    why_not: str
    figures: tuple[Figure, ...]
    used: Strip | None
    left: Strip | None
    left_until: str
    notes: tuple[str, ...]
    unit: str
    shares: tuple[ShareRow, ...]
    earlier: tuple[LifeRow, ...]


@dataclass(frozen=True, slots=True)
class WearPage:
    machine_id: UUID
    name: str
    zone: str
    start: str
    end: str
    known_on: str
    known: str
    stretch: str
    components: tuple[ComponentCard, ...]
    heat: tuple[HeatMap, ...]
    rests_on: tuple[str, ...]
    kinds: tuple[KindChoice, ...]


def wear_page(found: MachineWear, *, known_on: str) -> WearPage:
    """The page; `known_on` is what was asked for."""
    machine, zone = found.machine, found.machine.zone
    start, end = found.period.start, found.period.end
    return WearPage(
        machine_id=machine.id,
        name=machine.name,
        zone=zone,
        start=_field(found.period.start, zone),
        end=_field(found.period.end, zone),
        known_on=known_on,
        known=minute(found.known_at, zone) if found.known_at else "",
        stretch=f"{minute(start, zone)} to {minute(end, zone)}",
        components=tuple(_card(each, shares, machine) for each, shares in found.components),
        heat=heat_maps(found.use.spectrum),
        rests_on=tuple(_rests_on(found.use)),
        kinds=kind_choices(),
    )


def _field(moment: datetime, zone: str) -> str:
    """A moment as a field of a form takes it."""
    return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%dT%H:%M}"


def _card(found: ComponentWear, shares: Iterable[Share], machine: Machine) -> ComponentCard:
    component = found.history.component
    parameters = found.version.parameters if found.version else None
    whole = found.present.whole if found.present else None
    worn = whole if isinstance(whole, Worn) else None
    unit = unit_of(parameters) if parameters else ""
    return ComponentCard(
        id=component.id,
        name=component.name,
        title=TITLES[component.kind],
        state=_state(whole),
        piece=_piece(found.present, machine.zone),
        why_not=whole.reason if isinstance(whole, CannotSay) else "",
        figures=tuple(_figures(found, worn, parameters, unit)) if worn and parameters else (),
        used=used_strip(worn) if worn else None,
        left=left_strip(found.left, unit) if found.left else None,
        left_until=_STATISTICAL if found.left and found.left.survive is not None else _BY_CAPACITY,
        notes=tuple(_notes(found, worn, unit)),
        unit=unit,
        shares=tuple(_share_row(each, found.in_period, unit) for each in shares if _tells(each.worn)),
        earlier=tuple(_life_row(each, unit, machine.zone) for each in found.earlier),
    )


def _state(whole: Found | None) -> State:
    if whole is None:
        return State("not fitted")
    if isinstance(whole, CannotSay) or (whole.used and not whole.known):
        return State("cannot be said", "warn")
    if whole.share >= _WORN_OUT:
        return State("beyond its rated life", "bad")
    return State(f"{percent(whole.share)} used", "warn" if whole.share >= _SOON else "good")


def _figures(found: ComponentWear, worn: Worn, parameters: Parameters, unit: str) -> Iterable[Figure]:
    yield Figure("Life used", percent(worn.share).removesuffix(" %"), "%")
    if parameters.kind is Kind.WEAR_HOURS:
        yield Figure("Wear hours", grouped(worn.share * Fraction(parameters.number("capacity"))), "WH")
    yield Figure("Use", grouped(worn.used), _plain(unit))
    left = found.left
    if left and (left.on_mix is not None or left.lately is not None):
        yield Figure("Left on the whole mix", _maybe(left.on_mix), _plain(unit))
        yield Figure("Left as lately", _maybe(left.lately), _plain(unit))
    if left and left.survive is not None and worn.known:
        yield Figure("Get this far, of many", f"{round_half_up(left.survive * 100, 1)}", "%")
    if worth := worth_of(parameters):
        yield Figure("Carries by use", f"{round_half_up(worth.left(worn.share), 2):,f}", worth.currency)


def _notes(found: ComponentWear, worn: Worn | None, unit: str) -> Iterable[str]:
    if worn and worn.unknown:
        bound = "for anything, as the speed was not known either" if worn.most is None else "from no load to rated load"
        told = f"{grouped(worn.unknown)} {unit} were turned with unknown load"
        yield f"{told}: their wear is in no figure, the band takes it {bound}."
    if found.left and found.left.on_mix is None and found.left.lately is None:
        yield "What is left cannot be said: there is no measured wear yet to go on from."
    if found.left and found.left.lately is not None:
        covered = f"{RECENT.days} days, of which {grouped(found.recent_days)} have readings"
        yield f"Lately is the last {covered}{_pace(found)}."
    if found.unwatched_ms or found.use.unproven_ms:
        silent, unproven = billed("power_on", found.unwatched_ms), billed("unknown", found.use.unproven_ms)
        told = f"Since it was fitted {silent} h have no readings and {unproven} h no proof of life"
        yield f"{told}: nothing is counted for them."


def _pace(found: ComponentWear) -> str:
    """When the rated life would be reached if the machine is used as much as lately."""
    recent, left = found.recent, found.left
    if not isinstance(recent, Worn) or left is None or left.lately is None or not recent.used:
        return ""
    days = left.lately * found.recent_days / recent.used
    if not days or days > _TOO_FAR_DAYS:
        return ""
    time = f"{grouped(days / 365)} years" if days > _MANY_DAYS else f"{grouped(days)} days"
    return f"; used as much a day, the rated life would be reached in about {time}"


def _piece(present: LifeWear | None, zone: str) -> str:
    if present is None:
        return "nothing was fitted at this time"
    life = present.life
    used = f", {percent(Fraction(life.used_share))} used before" if life.used_share else ""
    name = f"piece {life.serial}" if life.serial else f"piece {life.number}"
    return f"{name}, fitted {minute(life.start, zone)}{used}"


def _tells(worn: Found) -> bool:
    """Whether there is anything to tell of it: idle time wears no spindle, and what cannot be said is said once."""
    return isinstance(worn, Worn) and bool(worn.used)


def _share_row(each: Share, whole: Found, unit: str) -> ShareRow:
    worn = each.worn if isinstance(each.worn, Worn) else Worn()
    part = NOTHING
    if isinstance(whole, Worn) and whole.share:
        part = f"{round_half_up(worn.share / whole.share * 100, 1)} %"
    return ShareRow(each.who, _span(worn), f"{grouped(worn.used)} {_plain(unit)}".rstrip(), part)


def _life_row(each: LifeWear, unit: str, zone: str) -> LifeRow:
    life, found = each.life, each.whole
    said = ("cannot be said", NOTHING)
    if isinstance(found, Worn):
        said = (_span(found), f"{grouped(found.used)} {_plain(unit)}")
    until = minute(life.end, zone) if life.end else NOTHING
    return LifeRow(life.serial or f"piece {life.number}", minute(life.start, zone), until, *said)


def _span(worn: Worn) -> str:
    band = f" ({percent(worn.least)} – {percent(worn.most)})" if worn.unknown else ""
    return f"{percent(worn.share)}{band}"


def _rests_on(use: Use) -> Iterable[str]:
    unproven = billed("unknown", use.unproven_ms)
    yield f"{billed('power_on', use.watched_ms)} h of readings, of which {unproven} h without proof of life"
    if use.substitute_ms:
        yield f"{billed('power_on', use.substitute_ms)} h with substitute values"
    for name, lacking in sorted(use.unknown_load.items()):
        on = use.deltas.get(f"spindle_on.{name}", 0)
        share = percent(Fraction(lacking.ms, on)) if on else "0 %"
        unknown = billed("spindle_on", lacking.ms)
        yield f"{name} turned {billed('spindle_on', on)} h, of which {unknown} h ({share}) with unknown load"


def _maybe(amount: Fraction | None) -> str:
    return NOTHING if amount is None else grouped(amount)


def _plain(unit: str) -> str:
    return "" if unit == "1" else unit
