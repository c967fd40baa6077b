"""Reading JSON into values: every wrong field is named by its path with what to write instead, all of them at once."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar, cast
from unicodedata import category

T = TypeVar("T")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,12})?")
_CODE = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
TEXT_LIMIT = 500
_NOT_IN_XML = "\ufffe\uffff"
_LIST_LIMIT = 200_000
_KEY_LIMIT = 80
# Outside these no reading was taken; further out, calendars overflow.
_FIRST_YEAR, _END_YEAR = 1970, 2200


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong field: its JSON path below `$` (such as `.bands[0].code`) and what to do about it."""

    path: str
    message: str

    def below(self, parent: str) -> "Problem":
        return Problem(parent + self.path, self.message)

    def __str__(self) -> str:
        return f"${self.path}: {self.message}"


class InvalidInput(ValueError):
    """The input cannot be taken as it is; `problems` names every wrong field."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def refuse_unless(*checks: tuple[bool, str, str]) -> None:
    """Raise `InvalidInput` with (path, message) of every check that does not hold."""
    problems = [Problem(path, message) for holds, path, message in checks if not holds]
    if problems:
        raise InvalidInput(problems)


def is_plain(text: str) -> bool:
    """Whether `text` can be printed and stored: no control characters, no half characters, none that XML lacks."""
    return not any(category(letter) in ("Cc", "Cs") or letter in _NOT_IN_XML for letter in text)


class Fields:
    """One JSON object being read. Wrong fields give a placeholder and a problem; `done` raises them together."""

    def __init__(self, value: object, what: str) -> None:
        if not isinstance(value, dict):
            raise InvalidInput([Problem("", f"write an object {{...}} here: {what}")])
        self._values = value
        self._read: set[str] = set()
        self._problems: list[Problem] = []

    def wrong(self, name: str, message: str) -> None:
        self._problems.append(Problem(f".{name}" if name else "", message))

    def has(self, name: str) -> bool:
        return self._values.get(name) is not None

    def is_null(self, name: str) -> bool:
        """Whether the field is there and says null."""
        return name in self._values and self._values[name] is None

    def text(self, name: str, default: str | None = None, choices: Collection[str] = ()) -> str:
        value = self._take(name, default)
        if not isinstance(value, str) or len(value) > TEXT_LIMIT:
            return self._unfit(name, f"write text in quotes, at most {TEXT_LIMIT} characters", "")
        if not value and default != "":
            return self._unfit(name, "must not be empty", "")
        if not is_plain(value):
            return self._unfit(name, "write text without control characters", "")
        if choices and value not in choices:
            return self._unfit(name, f"{value!r} is not known here; write one of {', '.join(sorted(choices))}", "")
        return value

    def code(self, name: str, default: str | None = None) -> str:
        value = self.text(name, default)
        if value and not _CODE.fullmatch(value):
            return self._unfit(name, "write 1-40 lower-case letters, digits, '.', '_' or '-', such as runtime-1", "")
        return value

    def decimal(self, name: str, default: str | None = None, *, least: str | None = None) -> Decimal:
        """A decimal written as a string; a JSON number is refused because it may pass through a binary float."""
        value = self._take(name, default)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._unfit(name, f'write the number in quotes, "{value}", so that no digit is lost', Decimal(0))
        if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
            return self._unfit(name, 'write a plain decimal in quotes, such as "18.00"', Decimal(0))
        number = Decimal(value)
        if least is not None and number < Decimal(least):
            return self._unfit(name, f"{value} is below {least}, the least that is allowed", Decimal(0))
        return number

    def maybe_decimal(self, name: str, *, least: str | None = None) -> Decimal | None:
        self._read.add(name)
        return self.decimal(name, least=least) if self.has(name) else None

    def integer(self, name: str, default: int | None = None, *, least: int = 0) -> int:
        value = self._take(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 2**63:
            return self._unfit(name, f"write a whole number from {least}, without quotes", least)
        return value

    def flag(self, name: str) -> bool:
        value = self._take(name, False)
        return value if isinstance(value, bool) else self._unfit(name, "write true or false", False)

    def moment(self, name: str) -> datetime:
        value = self._take(name, None)
        try:
            moment = datetime.fromisoformat(cast(str, value))
        except (TypeError, ValueError):
            moment = None
        if moment is None or moment.tzinfo is None or not _FIRST_YEAR <= moment.year < _END_YEAR:
            example = "2026-03-01T00:00:00+08:00"
            return self._unfit(
                name, f'write a time with its offset, such as "{example}"', datetime.fromisoformat(example)
            )
        return moment

    def day(self, name: str) -> date | None:
        self._read.add(name)
        if not self.has(name):
            return None
        try:
            return date.fromisoformat(cast(str, self._values[name]))
        except (TypeError, ValueError):
            return self._unfit(name, 'write a date such as "2026-03-01"', None)

    def one(self, name: str, parse: Callable[[object], T]) -> T:
        """The object under `name`, which must be there."""
        value = self._take(name, None)
        if value is None:
            self.wrong(name, "is missing; write an object {...}")
            return cast(T, None)  # a placeholder only until done() raises
        return cast(T, self._parsed(f".{name}", value, parse))

    def maybe(self, name: str, parse: Callable[[object], T]) -> T | None:
        self._read.add(name)
        return self._parsed(f".{name}", self._values[name], parse) if self.has(name) else None

    def many(self, name: str, parse: Callable[[object], T], *, least: int = 0) -> tuple[T, ...]:
        """The list under `name`; a missing list is an empty one."""
        value = self._take(name, [])
        if not isinstance(value, list) or not least <= len(value) <= _LIST_LIMIT:
            return self._unfit(name, f"write a list [...] of {least} to {_LIST_LIMIT} entries", ())
        found = [self._parsed(f".{name}[{index}]", entry, parse) for index, entry in enumerate(value)]
        return tuple(entry for entry in found if entry is not None)

    def pairs(self, name: str, parse: Callable[[object], T]) -> dict[str, T]:
        """The object under `name` with free keys; a missing one is empty."""
        value = self._take(name, {})
        if not isinstance(value, dict):
            return self._unfit(name, "write an object {...} here", {})
        if not all(is_plain(key) and len(key) <= _KEY_LIMIT for key in value):
            return self._unfit(name, f"has a field whose name is no plain text of at most {_KEY_LIMIT} characters", {})
        found = {key: self._parsed(f".{name}.{key}", entry, parse) for key, entry in value.items()}
        return {key: entry for key, entry in found.items() if entry is not None}

    def done(self) -> None:
        """Raise everything that was wrong, unknown fields included."""
        for name in self._values:
            if name not in self._read:
                name = name if is_plain(name) else ascii(name)
                self.wrong(name, f"is not a field here; take it out (known: {', '.join(sorted(self._read))})")
        if self._problems:
            raise InvalidInput(self._problems)

    def _take(self, name: str, default: object) -> object:
        self._read.add(name)
        value = self._values.get(name)
        if value is not None:
            return value
        return default

    def _unfit(self, name: str, message: str, placeholder: T) -> T:
        self.wrong(name, message if self.has(name) else f"is missing; {message}")
        return placeholder

    def _parsed(self, path: str, value: object, parse: Callable[[object], T]) -> T | None:
        try:
            return parse(value)
        except InvalidInput as error:
            self._problems.extend(problem.below(path) for problem in error.problems)
            return None
