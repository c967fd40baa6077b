"""Profiles: which node of a server means which signal, and how its value becomes an exact one.

The format is documented in the README's section "Profiles".
"""

import hashlib
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import Any, TypeAlias

from machine_agents.observation import HEARTBEAT
from machine_agents.signal_codes import codes_of

FOLDER = Path(__file__).with_name("profiles")
KINDS = ("number", "word", "flag", "time")
_STEP = re.compile(r"\{(?P<hole>[a-z]+)\}|(?:(?P<prefix>[a-z]+):)?(?P<name>[^/{}]+)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Convert: TypeAlias = Callable[[Any], int | str | bool | None]


class BadProfile(ValueError):
    """The profile is missing, is no TOML, or one of its entries does not say what it must."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path: a browse name in a namespace, or a hole that any child fills (`{spindle}`)."""

    name: str
    namespace: str = ""
    hole: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One node, or with holes one kind of node, and what it means. `unit` is a UN/ECE common code."""

    signal: str
    path: tuple[Step, ...]
    kind: str
    scale: Fraction = Fraction(1)
    unit: str = ""
    words: Mapping[str, str | bool] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The path as people read it."""
        return "/".join("{" + step.name + "}" if step.hole else step.name for step in self.path)

    def converter(self) -> Convert:
        """A function from the node's value to the signal's exact value; None for what cannot be one."""
        if self.kind == "number":
            return _number(self.scale)
        if self.kind == "time":
            return _time
        if self.kind == "flag":
            return _flag(self.words)
        return _word({key: str(word) for key, word in self.words.items()})


@dataclass(frozen=True, slots=True)
class Profile:
    """A family of machines' nodes. `digest` changes with the file: another profile is another subscription."""

    name: str
    description: str
    digest: str
    entries: tuple[Entry, ...]
    timestamp_trigger: bool = False
    settle_ms: int = 0


def names() -> list[str]:
    """The profiles that come with the agent."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Profile:
    """The profile of that name, or in that file when `name` ends in .toml."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        known = ", ".join(names())
        raise BadProfile(f"there is no profile {name!r}; there are {known}, or give a .toml file") from None
    return parse(text, str(path))


def parse(text: str, origin: str) -> Profile:
    """The profile that `text` says; `origin` names it in errors."""
    try:
        raw = tomllib.loads(text)
        spaces = {str(prefix): str(uri) for prefix, uri in raw.get("namespaces", {}).items()}
        entries = tuple(_entry(one, spaces) for one in raw.get("signal", []))
        if not any(entry.signal == HEARTBEAT for entry in entries):
            raise BadProfile("no entry gives the signal heartbeat, the proof of life and the clock")
        return Profile(
            name=str(raw.get("name", origin)),
            description=str(raw.get("description", "")),
            digest=hashlib.sha256(text.encode()).hexdigest(),
            entries=entries,
            timestamp_trigger=raw.get("trigger", "value") == "timestamp",
            settle_ms=int(raw.get("settle_ms", 0)),
        )
    except (tomllib.TOMLDecodeError, ValueError, TypeError, AttributeError) as error:
        raise BadProfile(f"{origin}: {error}") from error


def _entry(raw: Mapping[str, Any], spaces: Mapping[str, str]) -> Entry:
    signal = str(raw.get("signal", ""))
    if unknown := sorted(raw.keys() - {"signal", "path", "type", "scale", "unit", "words"}):
        raise BadProfile(f"signal {signal!r}: {unknown[0]!r} is not known")
    if signal not in (HEARTBEAT, "replayed") and not codes_of(signal):
        raise BadProfile(f"{signal!r} is no signal; they are listed in observation.py")
    kind = raw.get("type")
    if kind not in KINDS:
        raise BadProfile(f"signal {signal!r}: type must be one of {', '.join(KINDS)}")
    if isinstance(scale := raw.get("scale", "1"), float):
        raise BadProfile(f'signal {signal!r}: write the scale as text, such as "50/3", so that it is exact')
    path = tuple(_step(part, spaces) for part in str(raw.get("path", "")).split("/"))
    words = {str(key): word for key, word in raw.get("words", {}).items()}
    return Entry(signal, path, kind, Fraction(scale), str(raw.get("unit", "")), words)


def _step(text: str, spaces: Mapping[str, str]) -> Step:
    match = _STEP.fullmatch(text)
    if match is None:
        raise BadProfile(f"{text!r} is no step of a path; write prefix:Name or a hole such as {{machine}}")
    if match["hole"]:
        return Step(match["hole"], hole=True)
    prefix = match["prefix"]
    if prefix and prefix not in spaces:
        raise BadProfile(f"the prefix of {text!r} is not among [namespaces]")
    return Step(match["name"], spaces[prefix] if prefix else "http://opcfoundation.org/UA/")


def _number(scale: Fraction) -> Convert:
    top, bottom = scale.numerator, scale.denominator

    def convert(value: Any) -> int | None:
        """Exactly `value` x scale, the nearest whole number, halves upward."""
        if type(value) is float:
            if not isfinite(value):
                return None
            part, whole = value.as_integer_ratio()
            return (2 * part * top + whole * bottom) // (2 * whole * bottom)
        if isinstance(value, int):
            return (2 * value * top + bottom) // (2 * bottom)
        return None

    return convert


def _word(words: Mapping[str, str]) -> Convert:
    def convert(value: Any) -> str | None:
        """The word for the node's value (an enumeration by its number); any other value is "other"."""
        if value is None or isinstance(value, list):
            return None
        return words.get(str(value), "other")

    return convert


def _flag(words: Mapping[str, str | bool]) -> Convert:
    def convert(value: Any) -> bool | None:
        if value is None or isinstance(value, list):
            return None
        if isinstance(value, bool) and not words:
            return value
        found = words.get(str(value))
        return found if isinstance(found, bool) else None

    return convert


def _time(value: Any) -> int | None:
    """Milliseconds since 1970 of a UTC date and time, or the same as a number."""
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return (moment - _EPOCH) // _MILLISECOND
    return value if isinstance(value, int) and not isinstance(value, bool) else None


_MILLISECOND = datetime(1970, 1, 1, 0, 0, 0, 1000, tzinfo=UTC) - _EPOCH
