"""What is common to all answers: pages of lists, and ids expanded to the objects they name."""

from typing import Any

from sandbox.stripe.problem import invalid, missing
from sandbox.stripe.shelf import Object, Shelf

_DEPTH = 4
_COMPARE = {
    "gt": lambda value, bound: value > bound,
    "gte": lambda value, bound: value >= bound,
    "lt": lambda value, bound: value < bound,
    "lte": lambda value, bound: value <= bound,
}


def page(things: list[Object], params: dict[str, Any], url: str) -> Object:
    """One page of `things` (newest first), as `limit`, `starting_after`, `ending_before` and `created` ask."""
    limit = params.get("limit", 10)
    if not 1 <= limit <= 100:
        raise invalid("This value must be between 1 and 100.", param="limit", code="parameter_invalid_integer")
    if "created" in params:
        things = [thing for thing in things if _created(thing, params["created"])]
    if "starting_after" in params:
        things = things[_place(things, params["starting_after"], "starting_after") + 1 :]
    elif "ending_before" in params:
        things = things[: _place(things, params["ending_before"], "ending_before")]
        return _list(things[-limit:], len(things) > limit, url)
    return _list(things[:limit], len(things) > limit, url)


def expanded(thing: Object, paths: list[str], shelf: Shelf) -> Object:
    """`thing` with the ids at `paths` (`payment_intent.latest_charge`, `data.customer`) replaced by their objects."""
    for path in paths:
        steps = path.split(".")
        if len(steps) > _DEPTH:
            raise invalid("You cannot expand more than 4 levels of a property.", param="expand")
        _expand(thing, steps, path, shelf)
    return thing


def _expand(thing: Any, steps: list[str], path: str, shelf: Shelf) -> None:
    if isinstance(thing, list):
        for each in thing:
            _expand(each, steps, path, shelf)
        return
    step, *rest = steps
    if not isinstance(thing, dict) or step not in thing:
        raise invalid(f"This property cannot be expanded ({path}).", param="expand")
    value = thing[step]
    if isinstance(value, str):
        found = shelf.find(value)
        if found is None:
            raise invalid(f"This property cannot be expanded ({path}).", param="expand")
        thing[step] = value = found
    if rest and value is not None:
        _expand(value, rest, path, shelf)


def _list(things: list[Object], more: bool, url: str) -> Object:
    return {"object": "list", "data": things, "has_more": more, "url": url}


def _created(thing: Object, wanted: Any) -> bool:
    if isinstance(wanted, int):
        return bool(thing["created"] == wanted)
    return all(_COMPARE[name](thing["created"], bound) for name, bound in wanted.items())


def _place(things: list[Object], identifier: str, param: str) -> int:
    for index, thing in enumerate(things):
        if thing["id"] == identifier:
            return index
    raise missing("object", identifier, param=param, status=400)
