"""Following a profile's paths and identifiers through a server: every node they lead to, or why there is none."""

import base64
import itertools
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from asyncua import ua

from machine_agents.opcua_source.browser import Browser, Child
from machine_agents.profile import MACHINE, Entry, MachinePlace, NodeName, Step

OBJECTS = ua.NodeId(ua.Int32(ua.ObjectIds.ObjectsFolder))
_SERVER = ua.NodeId(ua.Int32(ua.ObjectIds.Server))
DEEPEST = 5
"""Levels that `**` may skip."""
_WIDEST = 500
_ABSENT = {
    ua.StatusCodes.BadNodeIdUnknown,
    ua.StatusCodes.BadNodeIdInvalid,
    # SINUMERIK's answer for a variable that this control does not have.
    ua.StatusCodes.BadAttributeIdInvalid,
    ua.StatusCodes.BadNoMatch,
    ua.StatusCodes.BadNotFound,
}


@dataclass(frozen=True, slots=True)
class Trail:
    """A way to a node: what it went through, what filled its holes, and how people read it."""

    nodes: tuple[ua.NodeId, ...] = (OBJECTS,)
    holes: Mapping[str, str] = field(default_factory=dict)
    way: str = ""

    @property
    def node(self) -> ua.NodeId:
        return self.nodes[-1]

    def onward(self, child: Child, step: Step | None) -> "Trail":
        filled = {step.name: child.name} if step is not None and step.hole else {}
        return Trail((*self.nodes, child.node), {**self.holes, **filled}, f"{self.way}/{child.name}")


async def follow(browser: Browser, starts: Sequence[Trail], steps: Sequence[Step]) -> tuple[list[Trail], str]:
    """Every trail that `steps` lead to from `starts`; else why there is none."""
    trails = list(starts)
    for number, step in enumerate(steps):
        if step.deep:
            return await _at_any_depth(browser, trails, steps[number + 1 :])
        onward = await _next(browser, trails, step)
        if not onward:
            at = sorted({one.way or "Objects" for one in trails})[0]
            return [], f"nothing fits {step} in {at}{'' if len(trails) == 1 else ' or beside it'}"
        trails = onward[:_WIDEST]
    return trails, ""


async def _next(browser: Browser, trails: Sequence[Trail], step: Step) -> list[Trail]:
    children = await browser.children_of([one.node for one in trails])
    onward = [one.onward(child, step) for one in trails for child in children[one.node] if _fits(child, step)]
    # A node that two references lead to is one node.
    return list({(one.node, tuple(one.holes.items())): one for one in reversed(onward)}.values())[::-1]


def _fits(child: Child, step: Step) -> bool:
    return child.is_object if step.hole else child.name == step.name and child.namespace == step.namespace


async def _at_any_depth(browser: Browser, trails: list[Trail], rest: Sequence[Step]) -> tuple[list[Trail], str]:
    """`rest` from the nearest level below `trails` at which it leads anywhere."""
    seen = {one.node for one in trails}
    why = ""
    for _ in range(DEEPEST + 1):
        found, why_here = await follow(browser, trails, rest)
        if found:
            return found, ""
        why = why or why_here
        children = await browser.children_of([one.node for one in trails])
        below = [one.onward(child, None) for one in trails for child in children[one.node] if child.is_object]
        trails = list({one.node: one for one in below if one.node not in seen}.values())[:_WIDEST]
        seen |= {one.node for one in trails}
        if not trails:
            break
    return [], f"{why}, nor up to {DEEPEST} levels below"


async def machines(browser: Browser, place: MachinePlace) -> tuple[list[Trail], str]:
    """Every machine on the server, whatever folders it lies in; or why there is none."""
    deep = any(step.deep for step in place.path)
    before = [step for step in place.path[:-1] if not step.deep]
    trails, why = await follow(browser, [Trail()], before)
    found: list[Trail] = []
    seen = {_SERVER}
    for _ in range(DEEPEST + 1 if deep else 1):
        below = [one for one in await _next(browser, trails, place.path[-1]) if one.node not in seen]
        seen |= {one.node for one in below}
        kept = [one for one in below if await _has(browser, one, place.has)]
        found += kept
        # What lies inside a machine is a part of it.
        trails = [one for one in below if one not in kept][:_WIDEST]
        if not trails:
            break
    if found:
        return found, ""
    marks = " or ".join(str(step) for step in place.has) or "machine"
    return [], why or f"no object with {marks} in {'/'.join(map(str, before)) or 'Objects'}"


async def _has(browser: Browser, trail: Trail, marks: Sequence[Step]) -> bool:
    if not marks:
        return True
    children = await browser.children(trail.node)
    return any(_fits(child, mark) for child in children for mark in marks)


async def identified(
    browser: Browser, entry: Entry, name: NodeName, holes: Mapping[str, Sequence[str]]
) -> tuple[list[Trail], str]:
    """The nodes that an identifier names on this server, for every value of its holes that exists."""
    index = browser.index(name.namespace)
    if index is None:
        return [], f"the server has no namespace {name.namespace}"
    used = [hole for hole in dict.fromkeys(re.findall(r"\{([a-z]+)\}", name.identifier)) if hole in holes]
    trails: list[Trail] = []
    for values in itertools.product(*(holes[hole] for hole in used)):
        filled = dict(zip(used, values, strict=True))
        identifier = name.identifier
        for hole, value in filled.items():
            identifier = identifier.replace("{" + hole + "}", value)
        trails.append(Trail((OBJECTS, node_id(name.kind, identifier, index)), filled, f"{name.kind}={identifier}"))
    classes = await browser.read([one.node for one in trails], ua.AttributeIds.Value)
    there = [one for one, value in zip(trails, classes, strict=True) if value.StatusCode.value not in _ABSENT]
    return there, "" if there else f"the server does not know {entry.text}"


def node_id(kind: str, identifier: str, index: int) -> ua.NodeId:
    """A node id of the given kind; ValueError when the text is none."""
    if kind == "i":
        return ua.NodeId(ua.UInt32(int(identifier)), index)
    if kind == "g":
        return ua.NodeId(uuid.UUID(identifier), index)
    if kind == "b":
        return ua.NodeId(base64.b64decode(identifier, validate=True), index)
    return ua.NodeId(identifier, index)


def machine_name(trail: Trail) -> str:
    return trail.holes[MACHINE]
