"""Reading a component's parameters from a file, a form or a request: exact, and every wrong field named at once."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

Rows: TypeAlias = tuple[tuple[Decimal, ...], ...]
Value: TypeAlias = str | Decimal | Rows

_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_MOST_ROWS = 40


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong field: its name, and what was wrong with it and what to write instead."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class ComponentRefused(ValueError):
    """What was said of a component cannot be taken as it is; `problems` names every wrong field."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


def refusal(field: str, message: str) -> ComponentRefused:
    """A refusal for one field."""
    return ComponentRefused([Problem(field, message)])


class Form(StrEnum):
    """What a field holds."""

    NAME = "name"
    CHOICE = "choice"
    NUMBER = "number"
    ROWS = "rows"


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter: what it is called, what it holds, and between which bounds.

    `default` is used where the field is left out; None: it must be there, unless it is `optional`. `above`: a number
    must be greater, not only at least, than `least`. `columns` names the columns of rows. `check` says what is wrong
    with a name, "" where nothing is.
    """

    name: str
    label: str
    hint: str
    form: Form = Form.NUMBER
    unit: str = ""
    least: Decimal = Decimal(0)
    most: Decimal = Decimal(10**12)
    above: bool = False
    whole: bool = False
    default: str | None = None
    optional: bool = False
    choices: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    check: Callable[[str], str] | None = None


def read(given: Mapping[str, object], fields: Sequence[Field]) -> dict[str, Value]:
    """The values of `fields` in `given`. Raises ComponentRefused, which names every wrong or unknown field."""
    values: dict[str, Value] = {}
    problems = [
        Problem(name, f"is not a parameter here; take it out (known: {', '.join(field.name for field in fields)})")
        for name in given
        if name not in {field.name for field in fields}
    ]
    for field in fields:
        said = given.get(field.name)
        if said in (None, ""):
            said = field.default
        if said is None:
            if not field.optional:
                problems.append(Problem(field.name, f"is missing; {field.hint}"))
            continue
        try:
            values[field.name] = _value(field, said)
        except ComponentRefused as refused:
            problems.extend(refused.problems)
    if problems:
        raise ComponentRefused(problems)
    return values


def write(values: Mapping[str, Value]) -> dict[str, object]:
    """The values as JSON: numbers as text, so that no digit is lost; rows as lists of such."""
    return {
        name: [[format(number, "f") for number in row] for row in value] if isinstance(value, tuple) else shown(value)
        for name, value in values.items()
    }


def shown(value: Value) -> str:
    """A value as text that `read` takes back: rows as lines of numbers."""
    if isinstance(value, tuple):
        return "\n".join(" ".join(format(number, "f") for number in row) for row in value)
    return format(value, "f") if isinstance(value, Decimal) else value


def _value(field: Field, said: object) -> Value:
    if field.form is Form.NUMBER:
        return _number(field, said)
    if field.form is Form.ROWS:
        return _rows(field, said)
    text = said.strip() if isinstance(said, str) else ""
    if field.form is Form.CHOICE and text not in field.choices:
        raise _wrong(field, f"{_quoted(said)} is not known here; write one of {', '.join(field.choices)}")
    if field.form is Form.NAME and not _NAME.fullmatch(text):
        raise _wrong(field, f"{_quoted(said)} is no name; {field.hint}")
    if field.check and (wrong := field.check(text)):
        raise _wrong(field, wrong)
    return text


def _number(field: Field, said: object, column: str = "") -> Decimal:
    # A float has lost digits before it came here; files and requests are read without any.
    if isinstance(said, int | Decimal) and not isinstance(said, bool):
        said = format(Decimal(said), "f")
    if not isinstance(said, str) or not _DECIMAL.fullmatch(said.strip()):
        example = "write a plain number such as 25000 or 0.4, with at most 12 digits on each side of the point"
        raise _wrong(field, f"{column}{_quoted(said)} is no number; {example}")
    number = Decimal(said.strip())
    if field.whole and number != int(number):
        raise _wrong(field, f"{column}{number} is not whole; write a whole number")
    if column:
        return number
    if number < field.least or number > field.most or (field.above and number == field.least):
        raise _wrong(field, f"{number:f} is out of bounds; {_bounds(field)}")
    return number


def _rows(field: Field, said: object) -> Rows:
    """Lists of numbers, or lines of them."""
    lines = _lines(said) if isinstance(said, str) else said
    wanted = (
        f"write 1 to {_MOST_ROWS} rows of {', '.join(field.columns)}, such as {field.hint.rpartition('such as ')[2]}"
    )
    if not isinstance(lines, list) or not 1 <= len(lines) <= _MOST_ROWS:
        raise _wrong(field, f"holds no rows; {wanted}")
    rows = []
    for index, line in enumerate(lines, start=1):
        if not isinstance(line, list) or len(line) != len(field.columns):
            raise _wrong(field, f"row {index} does not hold {len(field.columns)} numbers; {wanted}")
        rows.append(tuple(_number(field, number, f"row {index}: ") for number in line))
    return tuple(rows)


def _lines(text: str) -> list[list[str]]:
    return [re.split(r"[\s,:]+", line.strip()) for line in re.split(r"[;\n]", text) if line.strip()]


def _bounds(field: Field) -> str:
    least = f"more than {field.least:f}" if field.above else f"at least {field.least:f}"
    return f"write {least} and at most {field.most:f}{f' {field.unit}' if field.unit else ''}"


def _quoted(said: object) -> str:
    text = said if isinstance(said, str) else str(said)
    return repr(text if len(text) <= 40 else f"{text[:40]}…")


def _wrong(field: Field, message: str) -> ComponentRefused:
    return refusal(field.name, message)
