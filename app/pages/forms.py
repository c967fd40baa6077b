"""Forms: fields with what was typed and what was wrong, and the page on which somebody decides something for good."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from app.security import Link

AGREED = "agreed"
WHY = "why"


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of a form with what was typed and what was wrong with it."""

    name: str
    label: str
    hint: str
    value: str = ""
    error: str = ""
    type: str = "text"
    unit: str = ""
    choices: tuple[str, ...] = ()
    rows: int = 0
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Filled:
    """A form as somebody sent it, and why it was refused: the message by the field's name."""

    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def general(self) -> str:
        """What was wrong with no field of its own."""
        return self.errors.get("", "") or self.errors.get("component", "") or self.errors.get("entry", "")


@dataclass(frozen=True, slots=True)
class Grown:
    """What a register grew by, in its billed unit."""

    code: str
    value: str
    unit: str


@dataclass(frozen=True, slots=True)
class Confirming:
    """A page of its own before something that cannot be undone: what it means, what is asked for, and one button.

    `points` say what follows; `grown`, under its heading `grown_label`, in which figures. With `agree` a box has to be
    ticked beside that sentence. `action` is where the form goes.
    """

    title: str
    back: Link
    points: tuple[str, ...]
    action: str
    button: str
    fields: tuple[FormField, ...] = ()
    agree: str = ""
    grown_label: str = ""
    grown: tuple[Grown, ...] = ()
    error: str = ""
    agree_error: str = ""

    def sent(self, form: Filled) -> "Confirming":
        """The page with the form as it was sent."""
        fields = tuple(filled(each, form) for each in self.fields)
        return replace(self, fields=fields, error=form.general, agree_error=form.errors.get(AGREED, ""))


def filled(each: FormField, sent: Filled) -> FormField:
    """The field with what was typed and what was wrong with it."""
    return replace(each, value=sent.values.get(each.name, each.value), error=sent.errors.get(each.name, ""))


def texts(data: Mapping[str, Any]) -> dict[str, str]:
    """The fields of a form that are text, with the spaces around them gone."""
    return {name: value.strip() for name, value in data.items() if isinstance(value, str)}


def lacking(sent: Mapping[str, str], *, most: int) -> dict[str, str]:
    """What is wrong with the reason and the ticked box of a `Confirming` page; `most` characters are a reason's."""
    errors = {}
    if not 0 < len(sent.get(WHY, "")) <= most:
        errors[WHY] = f"say why, in 1 to {most} characters"
    if not sent.get(AGREED):
        errors[AGREED] = "tick the box once you have read it"
    return errors


def reason(hint: str) -> FormField:
    """The field for a reason."""
    return FormField(WHY, "Reason", hint, rows=2, needed=True)
