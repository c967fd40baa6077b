"""A profile's TOML text, read and checked: every mistake is said with the entry that it is in."""

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from machine_agents.conversion import KINDS
from machine_agents.counter_table import read_counters
from machine_agents.counting import is_serial
from machine_agents.observation import HEARTBEAT, REPLAYED
from machine_agents.profile import FOLDER, MACHINE, BadProfile, Budget, Entry, MachinePlace, NodeName, Profile, Step
from machine_agents.signal_codes import codes_of
from machine_agents.units import signal_unit, unit_of_code

_STEP = re.compile(r"\{(?P<hole>[a-z]+)\}|(?:(?P<prefix>[a-z][a-z0-9]*):)?(?P<name>[^/{}]+)")
_NODE = re.compile(r"(?P<prefix>[a-z][a-z0-9]*):(?P<kind>[sigb])=(?P<identifier>.+)", re.DOTALL)
_HOLE = re.compile(r"\{([a-z]+)\}")
_STANDARD = "http://opcfoundation.org/UA/"
_TOP = {"name", "description", "extends", "trigger", "settle_ms", "index", "notes"} | {
    "namespaces",
    "holes",
    "machine",
    "budget",
    "signal",
    "counter",
}
_KEYS = {"signal", "path", "node", "type", "scale", "unit", "words"}
_LARGEST = 1_000_000
_TOLD = {HEARTBEAT, REPLAYED, "item_state", "operation_mode", "warm_up", "dry_run", "tool"}
"""Signals that a profile may give whether or not a register counts them."""


def read(text: str, origin: str) -> Profile:
    """The profile that `text` says. BadProfile says what to change."""
    if len(text) > _LARGEST:
        raise BadProfile(f"{origin}: a profile of more than {_LARGEST} characters is a mistake")
    try:
        return _profile(tomllib.loads(text), hashlib.sha256(text.encode()).hexdigest(), origin)
    except (tomllib.TOMLDecodeError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise BadProfile(f"{origin}: {error}") from error


def _profile(raw: Mapping[str, Any], digest: str, origin: str) -> Profile:
    if unknown := sorted(raw.keys() - _TOP):
        raise BadProfile(f"{unknown[0]!r} is not known; there are {', '.join(sorted(_TOP))}")
    base = _base(raw)
    spaces = {str(prefix): str(uri) for prefix, uri in raw.get("namespaces", {}).items()}
    holes = {str(name): _values(name, given) for name, given in raw.get("holes", {}).items()}
    own = tuple(entry for one in raw.get("signal", []) for entry in _entries(one, spaces, holes, _index(raw)))
    own, inner = _from_machine(own)
    entries = own + base.entries
    if not any(entry.signal == HEARTBEAT for entry in entries):
        raise BadProfile("no entry gives the signal heartbeat, the proof of life and the clock")
    trigger = raw.get("trigger", "timestamp" if base.timestamp_trigger else "value")
    if trigger not in ("value", "timestamp"):
        raise BadProfile('trigger must be "value" or "timestamp"')
    profile = Profile(
        name=str(raw.get("name", origin)),
        description=str(raw.get("description", "")),
        digest=hashlib.sha256((digest + base.digest).encode()).hexdigest(),
        entries=entries,
        timestamp_trigger=trigger == "timestamp",
        settle_ms=_whole("settle_ms", raw.get("settle_ms", base.settle_ms)),
        machine=_machine(raw["machine"], spaces) if "machine" in raw else inner or base.machine,
        holes=dict(base.holes) | holes,
        budget=_budget(raw["budget"]) if "budget" in raw else base.budget,
        notes=tuple(str(note) for note in raw.get("notes", base.notes)),
        counters=dict(base.counters) | read_counters(raw.get("counter", []), {entry.signal for entry in entries}),
    )
    if profile.machine is None and (lost := next((one for one in own if one.from_machine), None)):
        raise BadProfile(f"signal {lost.signal!r}: its path begins at {{machine}}, but there is no [machine] table")
    return profile


def _base(raw: Mapping[str, Any]) -> Profile:
    """The profile that this one extends, or an empty one. Only those that come along: a file may not name files."""
    if "extends" not in raw:
        return Profile("", "", "", ())
    name = str(raw["extends"])
    path = FOLDER / f"{name}.toml"
    if not re.fullmatch(r"[a-z0-9_]+", name) or not path.exists():
        raise BadProfile(f"extends {name!r}: no profile of that name comes with the agent")
    return read(path.read_text(encoding="utf-8"), str(path))


def _index(raw: Mapping[str, Any]) -> bool:
    if (index := raw.get("index", "optional")) not in ("optional", "required"):
        raise BadProfile('index must be "optional" or "required"')
    return bool(index == "required")


def _values(name: str, given: Any) -> tuple[str, ...]:
    """A list of texts, or a range such as "1-4"."""
    if isinstance(given, str) and (match := re.fullmatch(r"(\d{1,3})-(\d{1,3})", given)):
        return tuple(str(number) for number in range(int(match[1]), int(match[2]) + 1))
    if isinstance(given, list) and given:
        return tuple(str(value) for value in given)
    raise BadProfile(f'holes.{name} must be a range such as "1-4" or a list of texts')


def _machine(raw: Mapping[str, Any], spaces: Mapping[str, str]) -> MachinePlace:
    path = tuple(_step(part, spaces) for part in str(raw["path"]).split("/"))
    if [step.name for step in path if step.hole] != ["machine"] or not path[-1].hole:
        raise BadProfile("machine.path must end with its one hole, {machine}")
    return MachinePlace(path, tuple(_step(part, spaces) for part in raw.get("has", [])))


def _from_machine(entries: tuple[Entry, ...]) -> tuple[tuple[Entry, ...], MachinePlace | None]:
    """Entries whose paths lead over {machine} begin there; the way to it is the machine's place."""
    ways: set[tuple[Step, ...]] = set()
    cut: list[Entry] = []
    for entry in entries:
        at = next((number for number, step in enumerate(entry.path) if step.hole and step.name == MACHINE), 0)
        if at:
            ways.add(entry.path[: at + 1])
            entry = replace(entry, path=entry.path[at:])
        cut.append(entry)
    if len(ways) > 1:
        raise BadProfile("the ways to {machine} differ: say it once, as path in a [machine] table")
    return tuple(cut), MachinePlace(ways.pop()) if ways else None


def _budget(raw: Mapping[str, Any]) -> Budget:
    known = set(Budget.__dataclass_fields__)
    if unknown := sorted(raw.keys() - known):
        raise BadProfile(f"budget.{unknown[0]} is not known; there are {', '.join(sorted(known))}")
    given: dict[str, Any] = {}
    for name, value in raw.items():
        if name == "source":
            given[name] = str(value)
        elif name in ("sampling_ms", "publish_ms"):
            given[name] = tuple(_whole(f"budget.{name}", one) for one in value)
        else:
            given[name] = _whole(f"budget.{name}", value)
    return Budget(**given)


def _whole(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadProfile(f"{name} must be a whole number, not {value!r}")
    return value


def _entries(
    raw: Mapping[str, Any], spaces: Mapping[str, str], holes: Mapping[str, tuple[str, ...]], index: bool
) -> list[Entry]:
    """One entry for each of the table's alternatives, in order of preference."""
    signal = str(raw.get("signal", ""))
    try:
        return _alternatives(raw, signal, spaces, holes, index)
    except (ValueError, TypeError) as error:
        raise BadProfile(f"signal {signal!r}: {error}") from error


def _alternatives(
    raw: Mapping[str, Any], signal: str, spaces: Mapping[str, str], holes: Mapping[str, tuple[str, ...]], index: bool
) -> list[Entry]:
    if unknown := sorted(raw.keys() - _KEYS):
        raise BadProfile(f"{unknown[0]!r} is not known")
    if signal not in _TOLD and not codes_of(signal) and not is_serial(signal):
        raise BadProfile(f"{signal!r} is no signal; they are listed in observation.py")
    if (kind := raw.get("type")) not in KINDS:
        raise BadProfile(f"type must be one of {', '.join(KINDS)}")
    unit = str(raw.get("unit", ""))
    scale = _scale(signal, kind, unit, raw.get("scale"))
    words = {_word_key(str(key), spaces): word for key, word in raw.get("words", {}).items()}
    if kind in ("word", "state") and not words:
        raise BadProfile(f'a {kind} needs words, such as words = {{ 1 = "active" }}')
    paths = [tuple(_step(part, spaces) for part in path.split("/")) for path in _several(raw, "path")]
    nodes = [_node(text, spaces, holes, index) for text in _several(raw, "node")]
    if not paths and not nodes:
        raise BadProfile("say where its node is: path or node")
    found = [Entry(signal, path, kind, scale, unit, words) for path in paths]
    found += [Entry(signal, (), kind, scale, unit, words, node) for node in nodes]
    for entry in found:
        _check_holes(entry)
    return found


def _several(raw: Mapping[str, Any], key: str) -> list[str]:
    given = raw.get(key, [])
    return [given] if isinstance(given, str) else [str(one) for one in given]


def _scale(signal: str, kind: str, unit: str, given: Any) -> Fraction:
    """From the node's unit to the signal's; a number that has a unit must name it: minutes are no seconds."""
    if isinstance(given, float):
        raise BadProfile('write the scale as text, such as "50/3", so that it is exact')
    wanted = signal_unit(signal) if kind == "number" else None
    if wanted is None:
        return Fraction("1" if given is None else given)
    if not unit:
        raise BadProfile(f"name the unit of the node's numbers: a UN/ECE code for {wanted[0]}, as C26 is ms")
    known = unit_of_code(unit)
    if known is None:
        raise BadProfile(f"unit {unit!r} is no UN/ECE code in units.tsv")
    if known.dimension != wanted[0]:
        raise BadProfile(f"unit {unit!r} ({known.symbol}) is a {known.dimension}, the signal is a {wanted[0]}")
    return known.factor / wanted[1] if given is None else Fraction(given)


def _word_key(key: str, spaces: Mapping[str, str]) -> str:
    """A node id among the words is kept with its namespace's URI."""
    match = _NODE.fullmatch(key)
    return f"nsu={spaces[match['prefix']]};{match['kind']}={match['identifier']}" if match else key


def _check_holes(entry: Entry) -> None:
    there = {step.name for step in entry.path if step.hole} | set(_HOLE.findall(str(entry.node or "")))
    if lost := set(_HOLE.findall(entry.signal)) - there:
        raise BadProfile(f"nothing fills {{{lost.pop()}}} of the signal")


def _step(text: str, spaces: Mapping[str, str]) -> Step:
    if text == "**":
        return Step("**", deep=True)
    match = _STEP.fullmatch(text)
    if match is None:
        raise BadProfile(f"{text!r} is no step of a path; write prefix:Name, a hole such as {{machine}}, or **")
    if match["hole"]:
        return Step(match["hole"], hole=True)
    prefix = match["prefix"]
    if prefix and prefix not in spaces:
        raise BadProfile(f"the prefix of {text!r} is not among [namespaces]")
    return Step(match["name"], spaces[prefix] if prefix else _STANDARD)


def _node(text: str, spaces: Mapping[str, str], holes: Mapping[str, tuple[str, ...]], index: bool) -> NodeName:
    match = _NODE.fullmatch(text)
    if match is None:
        raise BadProfile(f"{text!r} is no node; write prefix:s=text, prefix:i=number, prefix:g=guid or prefix:b=base64")
    if match["prefix"] not in spaces:
        raise BadProfile(f"the prefix of {text!r} is not among [namespaces]")
    if lost := [hole for hole in _HOLE.findall(text) if hole not in holes]:
        raise BadProfile(f"the values of {{{lost[0]}}} are not in [holes]: an identifier cannot be browsed")
    if index and match["kind"] == "s" and not text.endswith("]"):
        raise BadProfile(f"{text!r} needs its index, such as [u1,1]: without one this server silently takes the first")
    return NodeName(spaces[match["prefix"]], match["kind"], match["identifier"])
