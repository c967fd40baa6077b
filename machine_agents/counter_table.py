"""The `[[counter]]` tables of a profile or an item mapping, read and checked: what a counter's unusual steps mean."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from fractions import Fraction
from typing import Any

from machine_agents.counter_policy import (
    Begin,
    CounterPolicy,
    StepBack,
    TooFast,
    default_policy,
    is_counter,
)
from machine_agents.source_time import to_ms
from machine_agents.units import signal_unit, unit_of_code

_CHOICES: Mapping[str, type[StrEnum]] = {
    "reset": Begin,
    "step_back": StepBack,
    "replacement": Begin,
    "too_fast": TooFast,
}
_QUANTITIES = ("reset_at_most", "modulus", "most_per_hour", "step")
_KEYS = {"signal", "unit", "replaced", "closes_gaps", *_CHOICES, *_QUANTITIES}
_LARGEST = 2**62


class BadCounter(ValueError):
    """A `[[counter]]` table must say for a counter of the machine what can be done: the message says what to change."""


def read_counters(tables: object, signals: Collection[str] | None = None) -> dict[str, CounterPolicy]:
    """The policies of a file's `[[counter]]` tables by signal. `signals`: those that the file gives; None: any."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise BadCounter("counter must be written as [[counter]] tables")
    policies: dict[str, CounterPolicy] = {}
    for table in tables:
        signal = str(table.get("signal", ""))
        try:
            _check_signal(signal, policies, signals)
            policies[signal] = _policy(signal, table)
        except ValueError as error:
            raise BadCounter(f"counter {signal!r}: {error}") from error
    return policies


def told(signal: str, policy: CounterPolicy) -> str:
    """The policy in one line for people."""
    unit = "ms" if signal.startswith("counter.") else {"energy": "mWh"}.get(signal, "pieces")
    parts = [
        f"after a reset {policy.reset}" + (f" (a fall to {policy.reset_at_most} or less)" * bool(policy.reset_at_most)),
        f"after a step back {policy.step_back}",
        f"rolls over at {policy.modulus} {unit}" if policy.modulus else "does not roll over",
        f"after a replacement {policy.replacement}",
    ]
    if policy.most_per_hour:
        parts.append(f"at most {policy.most_per_hour} {unit} an hour and {policy.step} at once, else {policy.too_fast}")
    return "; ".join([*parts, "closes gaps" if policy.closes_gaps else "leaves gaps open"]).replace("_", " ")


def _check_signal(signal: str, policies: Collection[str], signals: Collection[str] | None) -> None:
    if not is_counter(signal):
        raise BadCounter("signal must be energy, parts, or a time counter such as counter.auto")
    if signal in policies:
        raise BadCounter("it has two [[counter]] tables: keep one")
    if signals is not None and signal not in signals:
        raise BadCounter("nothing in this file gives the signal: add its entry, or take this table out")


def _policy(signal: str, table: Mapping[str, Any]) -> CounterPolicy:
    if unknown := sorted(table.keys() - _KEYS):
        raise BadCounter(f"{unknown[0]!r} is not known; there are {', '.join(sorted(_KEYS))}")
    factor = _factor(signal, str(table.get("unit", "")))
    given: dict[str, Any] = {name: _choice(name, table[name]) for name in _CHOICES if name in table}
    given |= {name: _quantity(name, table[name], factor) for name in _QUANTITIES if name in table}
    if not isinstance(closes := table.get("closes_gaps", True), bool):
        raise BadCounter(f"closes_gaps must be true or false, not {closes!r}")
    replaced = table.get("replaced", [])
    if not isinstance(replaced, list):
        raise BadCounter('replaced must be a list of moments, such as ["2026-11-25T10:00:00Z"]')
    moments = tuple(sorted(map(_moment, replaced)))
    return _checked(replace(default_policy(signal), **given, closes_gaps=closes, replaced_at_ms=moments))


def _checked(policy: CounterPolicy) -> CounterPolicy:
    if policy.modulus and policy.reset_at_most >= policy.modulus:
        raise BadCounter("reset_at_most must be below modulus: no value is above it")
    if policy.modulus and policy.step >= policy.modulus:
        raise BadCounter("step must be below modulus: a whole turn cannot be seen")
    if policy.step and not policy.most_per_hour:
        raise BadCounter("step says how far a bound may be passed at once: give most_per_hour too")
    return policy


def _factor(signal: str, code: str) -> Fraction:
    """From the table's unit to the signal's own."""
    if not code:
        return Fraction(1)
    unit, wanted = unit_of_code(code), signal_unit(signal)
    if unit is None or wanted is None or unit.dimension != wanted[0]:
        what = f"a UN/ECE code for {wanted[0]}" if wanted else "left out: this signal counts pieces"
        raise BadCounter(f"unit {code!r} must be {what}")
    return unit.factor / wanted[1]


def _choice(name: str, value: object) -> StrEnum:
    kind = _CHOICES[name]
    if value not in [str(one) for one in kind]:
        raise BadCounter(f"{name} must be one of {', '.join(kind)}, not {value!r}")
    return kind(value)


def _quantity(name: str, value: object, factor: Fraction) -> int:
    """A whole number of the signal's own unit, at least 0."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise BadCounter(f'{name} must be a whole number, or text such as "0.5", not {value!r}')
    try:
        exact = Fraction(value) * factor
    except (ValueError, ZeroDivisionError):
        raise BadCounter(f"{name} {value!r} is no number") from None
    if exact.denominator != 1 or not 0 <= exact < _LARGEST:
        raise BadCounter(f"{name} {value!r} must be at least 0 and whole in the smallest unit that is counted")
    return int(exact)


def _moment(value: object) -> int:
    """Milliseconds since 1970 of a moment with its zone."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        moment = None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise BadCounter(f"replaced: {value!r} is no moment with a zone, such as 2026-11-25T10:00:00Z")
    return to_ms(moment.astimezone(UTC))
