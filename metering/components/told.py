"""What is said of a component in a file, a form or a request, as a value: checked before anything is stored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from metering.components.fields import ComponentRefused, Field, Problem, read, refusal
from metering.components.parameters import Kind, Parameters, kind_named

LONGEST_NAME, LONGEST_WHY = 60, 300
NO_MOMENT = "write a moment with its offset, such as 2026-03-01T08:00:00+01:00"
_FIRST_YEAR, _END_YEAR = 1970, 2200
_USED = Field("used_share", "Life used before", "0 for a new piece, at most 1", most=Decimal(1), default="0")
_KNOWN = ("name", "kind", "parameters", "valid_from", "fitted_at", "serial", "used_share", "why")


@dataclass(frozen=True, slots=True)
class Fitting:
    """A piece that was fitted at a moment; of its life `used_share` was used before."""

    at: datetime
    serial: str
    used_share: Decimal


@dataclass(frozen=True, slots=True)
class Told:
    """A component as somebody describes it: its parameters from `valid_from` on, and maybe a fitting."""

    name: str
    kind: Kind
    parameters: Parameters
    valid_from: datetime
    fitting: Fitting | None
    why: str


def told(given: object) -> Told:
    """A description such as one `[[component]]` of a components file. Raises ComponentRefused with every wrong field.

    Decimals and moments may be values already (TOML) or text (JSON, forms).
    """
    if not isinstance(given, dict):
        raise refusal("", "write a component with name, kind, valid_from and parameters")
    problems = [Problem(str(name)[:40], "is not known here; take it out") for name in given if name not in _KNOWN]
    found = _every(
        problems,
        name=lambda: plain_text("name", given.get("name"), LONGEST_NAME, needed=True),
        kind=lambda: kind_named(given.get("kind")),
        valid_from=lambda: moment("valid_from", given.get("valid_from")),
        fitting=lambda: fitting(given) if given.get("fitted_at") not in (None, "") else _no_fitting(given),
        why=lambda: plain_text("why", given.get("why"), LONGEST_WHY),
    )
    if "kind" in found:
        found |= _every(problems, parameters=lambda: Parameters.of(found["kind"], _parameters(given)))
    if problems:
        raise ComponentRefused(problems)
    return Told(**found)


def fitting(given: Mapping[str, object]) -> Fitting:
    """The piece that was fitted, from `fitted_at`, `serial` and `used_share`. Raises ComponentRefused."""
    problems: list[Problem] = []
    found = _every(
        problems,
        at=lambda: moment("fitted_at", given.get("fitted_at")),
        serial=lambda: plain_text("serial", given.get("serial"), LONGEST_NAME),
        used_share=lambda: read({"used_share": given.get("used_share")}, (_USED,))["used_share"],
    )
    if problems:
        raise ComponentRefused(problems)
    return Fitting(**found)


def _every(problems: list[Problem], **readers: Callable[[], object]) -> dict[str, Any]:
    """What each reader gives; what is refused goes to `problems`, so that all of it is told at once."""
    found = {}
    for name, reader in readers.items():
        try:
            found[name] = reader()
        except ComponentRefused as refused:
            problems += refused.problems
    return found


def moment(name: str, said: object) -> datetime:
    """A moment with its zone, from a value or text. Raises ComponentRefused."""
    if isinstance(said, str):
        try:
            said = datetime.fromisoformat(said.strip())
        except ValueError:
            said = None
    if not isinstance(said, datetime) or said.tzinfo is None or not _FIRST_YEAR <= said.year < _END_YEAR:
        raise refusal(name, NO_MOMENT)
    return said


def plain_text(name: str, said: object, longest: int, *, needed: bool = False) -> str:
    """One line of text; "" where it is left out. Raises ComponentRefused."""
    text = "" if said is None else said
    if not isinstance(text, str) or len(text.strip()) > longest or not text.strip().isprintable():
        raise refusal(name, f"write one line of at most {longest} characters")
    if needed and not text.strip():
        raise refusal(name, f"is missing; write one line of at most {longest} characters")
    return text.strip()


def _no_fitting(given: Mapping[str, object]) -> None:
    for name in ("serial", "used_share"):
        if given.get(name) not in (None, ""):
            raise refusal(name, "says something of a piece; write also when it was fitted (fitted_at)")


def _parameters(given: Mapping[str, object]) -> Mapping[str, object]:
    found = given.get("parameters")
    if not isinstance(found, dict):
        raise refusal("parameters", "is missing; write the parameters of the kind as a table")
    return found
