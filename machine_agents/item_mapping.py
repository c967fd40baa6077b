"""Which item of a foreign log is which signal, in what unit and words: data files beside this module."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

from machine_agents.counter_policy import CounterPolicy
from machine_agents.counter_table import BadCounter, read_counters
from machine_agents.signal_codes import codes_of

_BUNDLED = Path(__file__).parent / "recordings"
Value: TypeAlias = int | str | bool | None


class MappingError(ValueError):
    """An item mapping file must be complete: the message names the file, the item and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item's signal and how its text becomes the signal's value (ValueError when it cannot)."""

    signal: str
    value_of: Callable[[str], Value]


@dataclass(frozen=True, slots=True)
class ItemMapping:
    """A machine's items. `sections` is a pattern of the file names that its log is made of; `silence_ms` the limit of
    silence that suits the machine (0: not known)."""

    machine: str
    serial: str
    credit: str
    sections: str
    silence_ms: int
    items: Mapping[str, Item]
    counters: Mapping[str, CounterPolicy] = field(default_factory=dict)


def load_mapping(path: Path) -> ItemMapping:
    """Read a mapping file; raises MappingError."""
    plain = _toml(path)
    unavailable = frozenset(plain.get("unavailable", ["UNAVAILABLE"]))
    items = {name: _item(path, name, entry, unavailable) for name, entry in plain.get("items", {}).items()}
    if not items:
        raise MappingError(f"{path}: no [items.NAME] table: nothing would be read")
    silence = plain.get("silence_ms", 0)
    if not isinstance(silence, int) or silence < 0:
        raise MappingError(f"{path}: silence_ms {silence!r} is no number of milliseconds")
    return ItemMapping(
        machine=str(plain.get("machine", "")),
        serial=str(plain.get("serial", "")),
        credit=str(plain.get("credit", "")),
        sections=str(plain.get("sections", "")),
        silence_ms=silence,
        items=items,
        counters=_counters(path, plain, {item.signal for item in items.values()}),
    )


def _counters(path: Path, plain: Mapping[str, Any], signals: set[str] | None) -> Mapping[str, CounterPolicy]:
    try:
        return read_counters(plain.get("counter", []), signals)
    except BadCounter as error:
        raise MappingError(f"{path}: {error}") from error


def counters_in(path: Path) -> Mapping[str, CounterPolicy]:
    """The `[[counter]]` tables of any file, a profile or a mapping; MappingError."""
    return _counters(path, _toml(path), None)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MappingError(f"{path}: {error}") from error


def mapping_for(section: str) -> ItemMapping:
    """The bundled mapping for a log whose first file is named `section`; raises MappingError when there is none."""
    for path in sorted(_BUNDLED.glob("*.toml")):
        mapping = load_mapping(path)
        if fnmatchcase(section, mapping.sections):
            return mapping
    raise MappingError(f"no bundled item mapping is for {section!r}: write one like those in {_BUNDLED} and pass it")


def _item(path: Path, name: str, entry: Mapping[str, Any], unavailable: frozenset[str]) -> Item:
    where = f"{path}: [items.{name}]"
    signal = str(entry.get("signal", ""))
    if not codes_of(signal):
        raise MappingError(f"{where}: signal {signal!r} is none that a register needs")
    if ("words" in entry) is ("scale" in entry):
        raise MappingError(f"{where}: give either scale (a number) or words (a table)")
    if "words" in entry:
        return Item(signal, by_words(dict(entry["words"]), unavailable))
    try:
        scale = Fraction(str(entry["scale"]))
    except (ValueError, ZeroDivisionError) as error:
        raise MappingError(f"{where}: scale {entry['scale']!r} is neither a number nor a fraction") from error
    return Item(signal, by_scale(scale, unavailable))


def by_words(words: Mapping[str, Value], unavailable: frozenset[str]) -> Callable[[str], Value]:
    """Text to value by a table; "*" stands for any other. The function raises ValueError for what is not in it."""
    table: dict[str, Value] = {**words, **dict.fromkeys(unavailable)}

    def value_of(text: str) -> Value:
        if text in table:
            return table[text]
        if "*" in table:
            return table["*"]
        raise ValueError(f"{text!r} is none of {', '.join(words)}")

    return value_of


def by_scale(scale: Fraction, unavailable: frozenset[str]) -> Callable[[str], Value]:
    """Decimal text to a whole number, exactly, times `scale`. The function raises ValueError for what is no number."""
    numerator, denominator = scale.numerator, scale.denominator

    def value_of(text: str) -> Value:
        if text in unavailable:
            return None
        if denominator == 1 and text.isdecimal():
            return int(text) * numerator
        try:
            return round(Fraction(*Decimal(text).as_integer_ratio()) * scale)
        except (InvalidOperation, ValueError, OverflowError) as error:
            raise ValueError(f"{text!r} is no number") from error

    return value_of
