"""What the page of one component shows: its history, and forms with what was wrong beside each field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from uuid import UUID

from app.pages.format import minute, percent
from app.pages.forms import Filled, FormField, filled
from metering.components.component import Entry, History, What
from metering.components.fields import ComponentRefused, Form, shown
from metering.components.fields import Field as Parameter
from metering.components.parameters import FIELDS, TITLES, Kind
from metering.components.told import NO_MOMENT
from metering.machine import Machine

PREFIX = "p."
_MORE_ROWS = 2


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One thing that was told."""

    number: int
    what: str
    at: str
    details: tuple[tuple[str, str], ...]
    recorded: str
    by: str
    why: str
    counts: bool
    can_go: bool


@dataclass(frozen=True, slots=True)
class ComponentPage:
    machine_id: UUID
    machine: str
    zone: str
    name: str
    id: UUID | None
    kind: str
    title: str
    error: str
    parameters: tuple[FormField, ...]
    fitting: tuple[FormField, ...]
    entries: tuple[EntryRow, ...]


@dataclass(frozen=True, slots=True)
class KindChoice:
    kind: str
    title: str


def kind_choices() -> tuple[KindChoice, ...]:
    return tuple(KindChoice(kind.value, title) for kind, title in TITLES.items())


def new_page(machine: Machine, kind: Kind, sent: Filled) -> ComponentPage:
    """The form for a component that is not there yet."""
    fields = (
        FormField("name", "Name", "its place in the machine, such as spindle S1 bearings", needed=True),
        *_parameter_fields(kind, {}),
        _moment("valid_from", "Fitted, parameters hold from", "the machine's clock"),
        FormField("serial", "Serial number of the piece", "leave it out where it has none"),
        FormField("used_share", "Life used before", "0 for a new piece, 1 for all of it", value="0"),
    )
    return ComponentPage(
        machine.id, machine.name, machine.zone, "", None, kind.value, TITLES[kind], sent.general,
        tuple(filled(each, sent) for each in fields), (), (),
    )  # fmt: skip


def component_page(machine: Machine, history: History, told: Filled, fitted: Filled) -> ComponentPage:
    """A component's page; `told` and `fitted` are its two forms as they were sent, if they were."""
    component = history.component
    versions = history.versions()
    newest = versions[-1].parameters if versions else None
    now_said = {f"{PREFIX}{name}": shown(value) for name, value in newest.values.items()} if newest else {}
    parameters = (
        *_parameter_fields(component.kind, now_said),
        _moment(
            "valid_from", "They hold from", "the machine's clock; the moment of a version below corrects that version"
        ),
        FormField("why", "Reason", "it is kept and shown", needed=True),
    )
    fitting = (
        _moment("fitted_at", "Fitted", "the machine's clock"),
        FormField("serial", "Serial number", "leave it out where it has none"),
        FormField("used_share", "Life used before", "0 for a new piece, 1 for all of it", value="0"),
        FormField("why", "Reason", "it is kept and shown", needed=True),
    )
    return ComponentPage(
        machine.id, machine.name, machine.zone, component.name, component.id, component.kind.value,
        TITLES[component.kind], told.general or fitted.general,
        tuple(filled(each, told) for each in parameters), tuple(filled(each, fitted) for each in fitting),
        _entries(history, machine.zone),
    )  # fmt: skip


def refused(values: Mapping[str, str], error: ComponentRefused, kind: Kind | None = None) -> Filled:
    """The form as it was sent, with each problem at its field."""
    parameters = {each.name for each in FIELDS[kind]} if kind else set()
    errors: dict[str, str] = {}
    for problem in error.problems:
        name = f"{PREFIX}{problem.field}" if problem.field in parameters else problem.field
        # The field is a calendar and a clock: nobody writes an offset into it.
        message = "choose a day and a time" if problem.message == NO_MOMENT else problem.message
        errors[name] = f"{errors[name]}; {message}" if name in errors else message
    return Filled(values, errors)


def _parameter_fields(kind: Kind, said: Mapping[str, str]) -> Sequence[FormField]:
    return [_parameter(each, said.get(f"{PREFIX}{each.name}", each.default or "")) for each in FIELDS[kind]]


def _parameter(each: Parameter, value: str) -> FormField:
    rows = max(value.count("\n") + _MORE_ROWS, _MORE_ROWS + 1) if each.form is Form.ROWS else 0
    return FormField(
        name=f"{PREFIX}{each.name}",
        label=each.label,
        hint=each.hint,
        value=value,
        unit=each.unit,
        choices=each.choices,
        rows=rows,
        needed=not each.optional and each.default is None,
    )


def _moment(name: str, label: str, hint: str) -> FormField:
    return FormField(name, label, hint, type="datetime-local", needed=True)


def _entries(history: History, zone: str) -> tuple[EntryRow, ...]:
    withdrawn = {entry.withdraws for entry in history.entries}
    standing = {entry.number for entry in history.versions()} | {life.entry for life in history.lives()}
    return tuple(
        EntryRow(
            number=entry.number,
            what=_what(entry),
            at=minute(entry.at, zone),
            details=_details(entry),
            recorded=minute(entry.recorded_at, zone),
            by=entry.by,
            why=entry.why,
            counts=entry.number in standing or entry.what is What.WITHDRAWN,
            can_go=entry.what is not What.WITHDRAWN and entry.number not in withdrawn,
        )
        for entry in reversed(history.entries)
    )


def _what(entry: Entry) -> str:
    if entry.what is What.WITHDRAWN:
        return f"entry {entry.withdraws} taken back"
    return "parameters" if entry.what is What.PARAMETERS else "piece fitted"


def _details(entry: Entry) -> tuple[tuple[str, str], ...]:
    if entry.parameters:
        labels = {each.name: each.label for each in FIELDS[entry.parameters.kind]}
        values = entry.parameters.values.items()
        return tuple((labels[name], shown(value).replace("\n", "; ")) for name, value in values)
    if entry.what is What.FITTED:
        used = (("Life used before", percent(Fraction(entry.used_share))),) if entry.used_share else ()
        return ((("Serial number", entry.serial),) if entry.serial else ()) + used
    return ()
