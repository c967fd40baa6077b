"""Which parameters a request may carry, read from the SDK's own request types.

The types are the contract: a name they do not know, a word that is not among theirs, a missing required name or a
number that is none is refused here just as Stripe refuses it, so a typing mistake shows on this machine.
"""

import importlib
import types
import typing
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any

from stripe._request_options import RequestOptions
from typing_extensions import is_typeddict

from sandbox.stripe.problem import StripeProblem, invalid

_OPTIONS = frozenset(RequestOptions.__annotations__)


@dataclass(slots=True)
class Spec:
    """What a value may be: any of the scalars, an object of named fields, a list, a free map of text."""

    scalars: set[type] = field(default_factory=set)
    words: set[str] | None = None
    fields: dict[str, "Spec"] | None = None
    required: frozenset[str] = frozenset()
    item: "Spec | None" = None
    free: bool = False


@cache
def spec_of(name: str) -> Spec:
    """The specification of the SDK's request type `name` below `stripe.params`, e.g. `checkout.SessionCreateParams`."""
    package, _, short = f"stripe.params.{name}".rpartition(".")
    return _nested(getattr(importlib.import_module(package), short))


def check(values: dict[str, Any], spec: Spec) -> dict[str, Any]:
    """`values` with numbers, truths and lists made of text, or StripeProblem naming the parameter."""
    checked = _fields(values, spec, "")
    assert isinstance(checked, dict)
    return checked


def _nested(kind: Any) -> Spec:
    return _object(kind, vars(importlib.import_module(kind.__module__)))


def _object(kind: Any, names: dict[str, Any]) -> Spec:
    spec = Spec(fields={})
    required = set()
    for name, annotation in kind.__annotations__.items():
        if name in _OPTIONS:
            continue
        assert spec.fields is not None
        spec.fields[name] = _value(annotation, names)
        if typing.get_origin(_resolved(annotation, names)) is not typing.NotRequired:
            required.add(name)
    spec.required = frozenset(required)
    return spec


def _resolved(annotation: Any, names: dict[str, Any]) -> Any:
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    return eval(annotation, dict(names)) if isinstance(annotation, str) else annotation


def _value(annotation: Any, names: dict[str, Any], into: Spec | None = None) -> Spec:
    spec = into or Spec()
    kind = _resolved(annotation, names)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.NotRequired:
        _value(arguments[0], names, spec)
    elif origin in (typing.Union, types.UnionType):
        for argument in arguments:
            _value(argument, names, spec)
    elif origin is typing.Literal:
        spec.words = (spec.words or set()) | {str(word) for word in arguments}
    elif origin is list:
        spec.item = _value(arguments[0], names)
    elif is_typeddict(kind):
        nested = _nested(kind)
        spec.fields, spec.required = nested.fields, nested.required
    elif kind in (str, int, bool, Decimal, float):
        spec.scalars.add(kind)
    elif kind is not type(None):
        spec.free = True
    return spec


def _fields(values: dict[str, Any], spec: Spec, path: str) -> dict[str, Any]:
    assert spec.fields is not None
    known = spec.fields
    unknown = [_join(path, name) for name in values if name not in known]
    if unknown:
        raise _unknown(unknown)
    for name in sorted(spec.required - values.keys()):
        full = _join(path, name)
        raise invalid(f"Missing required param: {full}.", param=full, code="parameter_missing")
    return {name: _checked(value, known[name], _join(path, name)) for name, value in values.items()}


def _unknown(names: list[str]) -> StripeProblem:
    plural = "s" if len(names) > 1 else ""
    return invalid(f"Received unknown parameter{plural}: {', '.join(names)}", param=names[0], code="parameter_unknown")


def _join(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name


def _checked(value: Any, spec: Spec, path: str) -> Any:
    if not isinstance(value, dict):
        return _scalar(value, spec, path)
    if spec.item is not None and all(key.isdigit() for key in value):
        ordered = sorted(value.items(), key=lambda pair: int(pair[0]))
        return [_checked(inner, spec.item, _join(path, key)) for key, inner in ordered]
    if spec.fields is not None:
        return _fields(value, spec, path)
    if spec.free:
        return value
    raise invalid(f"Invalid string: {value}", param=path)


def _scalar(value: str, spec: Spec, path: str) -> Any:
    if value == "" and (spec.words is None or "" not in spec.words):
        message = f"You passed an empty string for '{path}'. We assume empty values are an attempt to unset a parameter"
        raise invalid(f"{message}; however '{path}' cannot be unset.", param=path, code="parameter_invalid_empty")
    words = (spec.words or set()) - {""}
    if value in words or (spec.words and value == ""):
        return value
    if str in spec.scalars and not words:
        return value
    if bool in spec.scalars and value in ("true", "false"):
        return value == "true"
    if int in spec.scalars and value.removeprefix("-").isdecimal():
        return int(value)
    if spec.scalars & {Decimal, float}:
        return value
    if words:
        raise invalid(f"Invalid {path}: must be one of {', '.join(sorted(words))}", param=path)
    raise _not_a(value, spec, path)


def _not_a(value: str, spec: Spec, path: str) -> StripeProblem:
    if int in spec.scalars:
        return invalid(f"Invalid integer: {value}", param=path, code="parameter_invalid_integer")
    noun = "boolean" if bool in spec.scalars else "array" if spec.item else "object"
    return invalid(f"Invalid {noun}: {value}", param=path)
