"""A server whose tree a seed makes anew for a profile: other names, namespace order, depth, units, missing nodes.

The truth is counted here with factors written down by hand, from the values that are put into the nodes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import floor
from pathlib import Path
from random import Random
from typing import Any

from asyncua import Server, ua

from machine_agents.opcua_source.identity import own_identity
from machine_agents.opcua_source.trails import node_id
from machine_agents.profile import Entry, Profile, Step
from tests.machine_agents.plain_server import Users

NAMES = {
    "machine": ["Mill 7", "5-Achs.Fräse", "M", "LINE2/cell", "车床"],
    "channel": ["Channel1", "Kanal-2", "0", "Path A"],
    "spindle": ["S1", "Main Spindle", "Hauptspindel.2", "Sp3"],
    "axis": ["X", "Y1", "Z axis", "B"],
}
# UN/ECE code -> step of the signal in one of it, by what the signal counts.
STEPS = {
    "speed": {"RPM": "1000", "RPS": "60000", "E96": "1000/6", "C97": "60000"},
    "load": {"P1": "10", "C62": "1000"},
    "position": {"MMT": "1000", "INH": "25400", "MTR": "1000000", "4H": "1"},
    "feed": {"H81": "1000/60", "2X": "1000000/60", "C16": "1000", "M63": "25400/60"},
    "energy": {"WHR": "1000", "KWH": "1000000", "JOU": "1000/3600"},
    "counter": {"C26": "1", "SEC": "1000", "MIN": "60000", "HUR": "3600000"},
}
OBJECTS_URI = "http://opcfoundation.org/UA/"


@dataclass
class Grown:
    """The server, and per signal its node and how a random value is made with what it means."""

    server: Server
    random: Random
    chosen: dict[str, Entry] = field(default_factory=dict)
    nodes: dict[str, Any] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    truth: dict[str, Any] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    states: dict[str, dict[str, ua.NodeId]] = field(default_factory=dict)
    indexes: dict[str, int] = field(default_factory=dict)
    shared: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.server.bserver._server.sockets[0].getsockname()[1]}"

    async def change(self) -> None:
        """Give every node a new value, and say what it means."""
        for signal, node in self.nodes.items():
            value, self.truth[signal] = self._value(signal)
            await node.write_value(value)
        for signal, first in self.shared.items():
            self.truth[signal] = self.chosen[signal].words[self.keys[first]]

    def _value(self, signal: str) -> tuple[ua.Variant, Any]:
        entry = self.chosen[signal]
        if entry.kind == "number":
            number = round(self.random.uniform(1, 5000), 3)
            step = Fraction(STEPS[_kind(signal)][self.units[signal]]) if entry.unit else Fraction(1)
            return ua.Variant(number, ua.VariantType.Double), floor(Fraction(number) * step + Fraction(1, 2))
        if entry.kind == "flag" and not entry.words:
            flag = self.random.random() < 0.5
            return ua.Variant(flag, ua.VariantType.Boolean), flag
        if entry.kind == "text":
            text = f"T{self.random.randrange(99)}"
            return ua.Variant(text, ua.VariantType.String), text
        key = self.random.choice([one for one in entry.words if not one.startswith("nsu=")])
        word = entry.words[key]
        self.keys[signal] = key
        if entry.kind == "state":
            return ua.Variant(self.states[signal][key], ua.VariantType.NodeId), word
        if key.isdigit():
            return ua.Variant(int(key), ua.VariantType.Int32), word
        return ua.Variant(ua.LocalizedText(key), ua.VariantType.LocalizedText), word


def _kind(signal: str) -> str:
    head, _, rest = signal.partition(".")
    return head if head in STEPS else rest.rpartition(".")[2]


@asynccontextmanager
async def grown(folder: Path, profile: Profile, seed: int) -> AsyncIterator[Grown]:
    """A secured server with one machine for `profile`, as the seed wants it; certificates in `folder`."""
    random = Random(seed)
    server = Server(user_manager=Users())
    identity = own_identity(folder, "localhost")
    await server.init()
    server.set_endpoint("opc.tcp://127.0.0.1:0")
    server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
    server.set_identity_tokens([ua.UserNameIdentityToken])
    await server.load_certificate(folder / "agent.der")
    await server.load_private_key(folder / "agent.pem")
    await server.set_application_uri(identity.uri)
    one = Grown(server, random)
    await _Gardener(one, profile).grow()
    await one.change()
    async with server:
        yield one


class _Gardener:
    def __init__(self, grown: Grown, profile: Profile) -> None:
        self._grown, self._profile, self._random = grown, profile, grown.random
        self._made: dict[tuple[Any, int, str], Any] = {}
        self._leaves: dict[tuple[Any, str], str] = {}
        self._names = {hole: self._random.sample(names, 2) for hole, names in NAMES.items()}
        self._names["machine"] = self._names["machine"][:1]
        self._names["channel"] = self._names["channel"][:1]

    async def grow(self) -> None:
        uris = {step.namespace for entry in self._profile.entries for step in entry.path if step.namespace}
        uris |= {entry.node.namespace for entry in self._profile.entries if entry.node}
        uris |= {key[4:].rpartition(";")[0] for e in self._profile.entries for key in e.words if key.startswith("nsu=")}
        order = [*sorted(uris - {OBJECTS_URI}), *(f"urn:test:spare:{n}" for n in range(self._random.randrange(4)))]
        self._random.shuffle(order)
        for uri in order:
            self._grown.indexes[uri] = await self._grown.server.register_namespace(uri)
        self._own = await self._grown.server.register_namespace("urn:test:shop")
        self._grown.indexes[OBJECTS_URI] = 0
        self._machine = await self._grow_machine()
        for signal, alternatives in self._groups().items():
            if signal == "heartbeat" or alternatives[0].path[:1] == (Step("Server", OBJECTS_URI),):
                continue
            if self._random.random() < 0.15 and signal not in ("mode", "execution"):
                self._grown.absent.add(signal)
                continue
            await self._grow_entry(self._random.choice(alternatives))
        await self._weeds()

    def _groups(self) -> dict[str, list[Entry]]:
        """Alternatives that are of one kind; the others would be chosen by the profile's order."""
        groups: dict[str, list[Entry]] = {}
        for entry in self._profile.entries:
            groups.setdefault(entry.signal, []).append(entry)
        if self._profile.machine:
            # All in one place, so that the machine is the same whichever alternative is taken.
            return {signal: found[:1] for signal, found in groups.items()}
        return groups

    async def _grow_machine(self) -> Any:
        at = self._grown.server.nodes.objects
        if self._profile.machine is None:
            return at
        for step in self._profile.machine.path:
            if step.deep:
                for level in range(self._random.randrange(4)):
                    at = await at.add_folder(self._own, f"Hall {level}")
            else:
                at = await self._step(at, step, {"machine": self._names["machine"][0]})
        if self._random.random() < 0.5:
            # A second object beside it that is no machine.
            await (await at.get_parent()).add_object(self._own, "Gateway")
        return at

    async def _step(self, at: Any, step: Step, holes: dict[str, str]) -> Any:
        index, name = (self._own, holes[step.name]) if step.hole else (self._grown.indexes[step.namespace], step.name)
        key = (at.nodeid, index, name)
        if key not in self._made:
            self._made[key] = await at.add_object(ua.NodeId(), ua.QualifiedName(name, index))
        return self._made[key]

    async def _grow_entry(self, entry: Entry) -> None:
        used = [hole for hole in ("spindle", "axis") if "{" + hole + "}" in entry.signal]
        values = (self._profile.holes if entry.node else self._names)[used[0]][:2] if used else [""]
        for value in values:
            channel = self._profile.holes.get("channel", ("",))[0] if entry.node else self._names["channel"][0]
            holes = {"channel": channel, "machine": self._names["machine"][0]} | ({used[0]: value} if used else {})
            signal = entry.signal
            for hole, name in holes.items():
                clean = "".join(letter if letter.isalnum() or letter in "_-" else "_" for letter in name)
                signal = signal.replace("{" + hole + "}", clean)
            await self._grow_node(signal, entry, holes)

    async def _grow_node(self, signal: str, entry: Entry, holes: dict[str, str]) -> None:
        at = self._machine
        if entry.node:
            identifier = entry.node.identifier
            for hole, value in holes.items():
                identifier = identifier.replace("{" + hole + "}", value)
            index = self._grown.indexes[entry.node.namespace]
            own = node_id(entry.node.kind, identifier, index)
            name = ua.QualifiedName(f"node {len(self._grown.nodes)}", index)
        else:
            steps = entry.path[1:] if entry.from_machine else entry.path
            for step in steps[:-1]:
                at = await self._step(at, step, holes)
            own, name = ua.NodeId(), ua.QualifiedName(steps[-1].name, self._grown.indexes[steps[-1].namespace])
        self._grown.chosen[signal] = replace(entry)
        if not entry.node and (first := self._leaves.setdefault((at.nodeid, name.Name), signal)) != signal:
            self._grown.shared[signal] = first
            return
        if entry.kind == "state":
            await self._grow_states(signal, entry, at)
        if entry.unit:
            known = STEPS[_kind(signal)]
            self._grown.units[signal] = self._random.choice([entry.unit, *known])
        value, _ = self._grown._value(signal)
        node = await at.add_variable(own, name, value)
        if entry.unit and (self._grown.units[signal] != entry.unit or self._random.random() < 0.5):
            code = self._grown.units[signal]
            about = ua.EUInformation(UnitId=int.from_bytes(code.encode(), "big"), DisplayName=ua.LocalizedText("?"))
            await node.add_property(0, "EngineeringUnits", about)
        self._grown.nodes[signal] = node

    async def _grow_states(self, signal: str, entry: Entry, state: Any) -> None:
        """The standard's own state nodes, or the server's: told by browse name then."""
        standard = {key: word for key, word in entry.words.items() if key.startswith("nsu=")}
        own = {key: word for key, word in entry.words.items() if key not in standard}
        if self._random.random() < 0.5:
            found = {}
            for name, word in own.items():
                key = next(key for key, other in standard.items() if other == word)
                if list(own.values()).count(word) > 1:
                    key = list(standard)[list(own).index(name)]
                uri, _, rest = key[4:].rpartition(";")
                found[name] = node_id(rest[0], rest[2:], self._grown.indexes[uri])
            self._grown.states[signal] = found
            return
        machine = await state.get_parent()
        nodes = {(await child.read_browse_name()).Name: child.nodeid for child in await machine.get_children()}
        for name in own:
            if name not in nodes:
                nodes[name] = (await machine.add_object(self._own, name)).nodeid
        self._grown.states[signal] = {name: nodes[name] for name in own}

    async def _weeds(self) -> None:
        """What nobody asked for: other nodes, a loop of references, names like ours in another namespace."""
        objects = self._grown.server.nodes.objects
        yard = await objects.add_folder(self._own, "Yard")
        for number in range(self._random.randrange(30)):
            await yard.add_variable(self._own, f"Temperature {number}", float(number))
        await self._machine.add_object(self._own, "CncInterface")
        if self._machine != objects:
            await self._machine.add_reference(yard, ua.ObjectIds.Organizes, bidirectional=False)
            await yard.add_reference(self._machine, ua.ObjectIds.Organizes, bidirectional=False)
