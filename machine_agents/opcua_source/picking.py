"""Which of a server's machines is meant: by its browse name, its display name, or what its name plate says."""

from collections.abc import Sequence
from dataclasses import dataclass

from asyncua import ua

from machine_agents.opcua_source.browser import Browser
from machine_agents.opcua_source.trails import Trail, machine_name, machines
from machine_agents.profile import MachinePlace

_PLATE = ("SerialNumber", "ProductInstanceUri")
_DI = "http://opcfoundation.org/UA/DI/"


@dataclass(frozen=True, slots=True)
class Picked:
    """The machine, or why there is none. `names`: every machine on the server."""

    trail: Trail | None
    name: str = ""
    why: str = ""
    names: tuple[str, ...] = ()


async def pick_machine(browser: Browser, place: MachinePlace | None, wanted: str) -> Picked:
    """The one machine, or the one that is `wanted`."""
    if place is None:
        return Picked(None, "", "the profile says of no machine where it is")
    found, why = await machines(browser, place)
    names = tuple(machine_name(one) for one in found)
    if not found:
        return Picked(None, "", why)
    chosen = [one for one in found if machine_name(one) == wanted] if wanted else found
    if len(chosen) == 1:
        return Picked(chosen[0], machine_name(chosen[0]), "", names)
    plates = {one.node: await _plate(browser, one) for one in found}
    if wanted and (marked := [one for one in found if wanted in plates[one.node]]):
        chosen = marked
    if len(chosen) == 1:
        return Picked(chosen[0], machine_name(chosen[0]), "", names)
    shown = _shown(found, plates)
    if not chosen:
        return Picked(None, "", f"there is no machine {wanted!r}; there are {shown}", names)
    how = "several machines of that name" if wanted else "several machines"
    return Picked(None, "", f"there are {how} ({shown}): name one as source.machine", names)


def _shown(found: Sequence[Trail], plates: dict[ua.NodeId, list[str]]) -> str:
    """Names, with what tells machines of one name apart."""
    names = [machine_name(one) for one in found]
    texts = []
    for one, name in list(zip(found, names, strict=True))[:10]:
        plate = ", ".join(plates[one.node]) if names.count(name) > 1 else ""
        texts.append(f"{name} [{plate}]" if plate else name)
    return ", ".join(sorted(texts)) + (", ..." if len(found) > 10 else "")


async def _plate(browser: Browser, machine: Trail) -> list[str]:
    """Serial number and product instance of a machine, and its node id: what names it when its name does not."""
    told = [machine.node.to_string()]
    for child in await browser.children(machine.node):
        if child.name == "Identification" and child.namespace == _DI:
            marks = [one.node for one in await browser.children(child.node) if one.name in _PLATE]
            values = await browser.read(marks, ua.AttributeIds.Value)
            told = [str(value.Value.Value) for value in values if value.Value and value.Value.Value] + told
    return told
