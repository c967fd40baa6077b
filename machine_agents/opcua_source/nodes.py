"""Where a profile's signals lie on a server: found anew on every connection, the first alternative that fits wins."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from asyncua import ua
from asyncua.client.ua_session import UaSession

from machine_agents.observation import HEARTBEAT
from machine_agents.opcua_source.browser import Browser
from machine_agents.opcua_source.fitting import Fitted, fit
from machine_agents.opcua_source.history import is_readable
from machine_agents.opcua_source.picking import pick_machine
from machine_agents.opcua_source.trails import Trail, follow, identified
from machine_agents.profile import CHANNEL, MACHINE, Entry, Profile


@dataclass(frozen=True, slots=True)
class Found:
    """A signal and the node that gives it. `entry` is as this node needs it: scaled for the node's own unit.

    `history`: the server keeps one of the node, which the user may read.
    """

    signal: str
    entry: Entry
    node: ua.NodeId
    path: str
    unit: str = ""
    value: ua.DataValue | None = None
    history: bool = False


@dataclass(frozen=True, slots=True)
class Resolution:
    """What of a profile is on the server. `missing` holds, per signal, why it is not metered; `machine` its machine.

    `digest` changes when a signal comes from another node, in another unit or not at all: values that a subscription
    kept from before cannot be taken as the same.
    """

    found: list[Found]
    missing: dict[str, str] = field(default_factory=dict)
    machine: str = ""
    digest: str = ""
    machines: tuple[str, ...] = ()

    @property
    def has_heartbeat(self) -> bool:
        return any(one.signal == HEARTBEAT for one in self.found)


async def resolve(
    session: UaSession, profile: Profile, machine: str = "", channel: str = "", *, browser: Browser | None = None
) -> Resolution:
    """Find every entry's nodes; what cannot be found or does not fit is named, and does not stop the rest.

    `machine` and `channel` choose where the server has several. A browser may be given to share what it has seen.
    """
    if browser is None:
        browser = Browser(session)
        await browser.start()
    picked = await pick_machine(browser, profile.machine, machine)
    missing: dict[str, list[str]] = {}
    candidates: list[tuple[str, Entry, Trail]] = []
    for entry in profile.entries:
        trails, why = await _locate(browser, profile, entry, picked.trail, picked.why, channel)
        if not trails:
            missing.setdefault(entry.signal, []).append(f"{entry.text}: {why}")
        candidates += [(_name(entry.signal, trail.holes), entry, trail) for trail in trails]
    fitted = await fit(browser, [(entry, trail) for _, entry, trail in candidates])
    found = _choose(candidates, fitted, missing)
    levels = await browser.read([one.node for one in found.values()], ua.AttributeIds.UserAccessLevel)
    return Resolution(
        [replace(one, history=is_readable(level)) for one, level in zip(found.values(), levels, strict=True)],
        _reasons(found, missing, browser.notes),
        picked.name,
        _digest(browser, profile, found),
        picked.names,
    )


async def _locate(
    browser: Browser, profile: Profile, entry: Entry, machine: Trail | None, no_machine: str, channel: str
) -> tuple[list[Trail], str]:
    """The nodes of one entry; several only where the signal's own name keeps them apart."""
    if entry.node is not None:
        values = dict(profile.holes) | ({CHANNEL: (channel,)} if channel else {})
        trails, why = await identified(browser, entry, entry.node, values)
    elif entry.from_machine:
        if machine is None:
            return [], no_machine
        trails, why = await follow(browser, [machine], entry.path[1:])
    else:
        trails, why = await follow(browser, [Trail()], entry.path)
    if channel:
        chosen = [one for one in trails if one.holes.get(CHANNEL, channel) == channel]
        if trails and not chosen:
            return [], f"there is no channel {channel!r}; there are {_list(trails, CHANNEL)}"
        trails = chosen
    return _told_apart(entry, trails) if trails else ([], why)


def _told_apart(entry: Entry, trails: list[Trail]) -> tuple[list[Trail], str]:
    for hole in {hole for one in trails for hole in one.holes} - {MACHINE}:
        if "{" + hole + "}" not in entry.signal and len({one.holes[hole] for one in trails}) > 1:
            advice = "name one as source.channel" if hole == CHANNEL else "name its node in a profile of your own"
            return [], f"there are several of {{{hole}}} ({_list(trails, hole)}): {advice}"
    return trails, ""


def _list(trails: Sequence[Trail], hole: str) -> str:
    names = sorted({one.holes[hole] for one in trails if hole in one.holes})
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")


def _name(signal: str, holes: Mapping[str, str]) -> str:
    """The signal with its holes filled. A dot parts a signal's name, so a node's name may hold none."""
    for hole, value in holes.items():
        clean = "".join(letter if letter.isalnum() or letter in "_-" else "_" for letter in value)[:40]
        signal = signal.replace("{" + hole + "}", clean)
    return signal


def _choose(
    candidates: Sequence[tuple[str, Entry, Trail]], fitted: Sequence[Fitted | str], missing: dict[str, list[str]]
) -> dict[str, Found]:
    """Per signal the first entry that fits; two nodes of one name are both left out: nobody knows which is meant."""
    found: dict[str, Found] = {}
    chosen: dict[str, Entry] = {}
    for (signal, entry, _), one in zip(candidates, fitted, strict=True):
        if isinstance(one, str):
            missing.setdefault(signal, []).append(one)
        elif signal not in chosen:
            chosen[signal] = entry
            found[signal] = Found(signal, one.entry, one.trail.node, one.trail.way, one.unit, one.value)
        elif chosen[signal] is entry and (first := found.pop(signal, None)):
            missing.setdefault(signal, []).append(
                f"{first.path} ({first.node.to_string()}) and {one.trail.way} ({one.trail.node.to_string()}) have the "
                "same name: give the identifier of the right one in a profile of your own"
            )
    return found


def _reasons(found: Mapping[str, Found], missing: Mapping[str, list[str]], notes: Sequence[str]) -> dict[str, str]:
    """Why each signal is not metered; an alternative that was not needed is no reason."""
    templates = {_template(signal) for signal in found}
    return {
        signal: "; ".join([*dict.fromkeys(whys), *notes])
        for signal, whys in missing.items()
        if signal not in found and not ("{" in signal and _template(signal) in templates)
    }


def _template(signal: str) -> str:
    """A signal's name without its part: spindle.S1.speed and spindle.{spindle}.speed are spindle.*.speed."""
    head, _, rest = signal.partition(".")
    what = rest.rpartition(".")[2]
    return f"{head}.*.{what}" if head in ("spindle", "axis") else signal


def _digest(browser: Browser, profile: Profile, found: Mapping[str, Found]) -> str:
    def place(node: ua.NodeId) -> str:
        index = node.NamespaceIndex
        uri = browser.uris[index] if index < len(browser.uris) else str(index)
        return f"{uri} {node.NodeIdType} {node.Identifier}"

    lines = sorted(f"{name}\t{place(one.node)}\t{one.entry.scale}\t{one.entry.kind}" for name, one in found.items())
    return hashlib.sha256("\n".join([profile.digest, *lines]).encode()).hexdigest()
