"""The machine in the address space: which nodes each signal of a recording feeds. The tables are the content."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from asyncua import Server, ua

from machine_agents.simulator import values
from machine_agents.simulator.companion import Names
from machine_agents.simulator.layout import CHANNEL, TOOL, build_objects
from machine_agents.simulator.values import Pack, ValueNode

Value: TypeAlias = int | str | bool | None
Shown: TypeAlias = tuple[list[values.Raw], dict[str, Value]]
"""What all nodes show, and the machine's memory."""
Write: TypeAlias = Callable[[Value, int], None]
"""Takes a signal's value and its source time in ticks."""

HEARTBEAT_PATH = "Recording/Heartbeat"

_MODES = {"manual": 0, "mdi": 1, "automatic": 2, "other": 0}
_CHANNEL_MODES = {"automatic": 0, "mdi": 1, "manual": 2, "setup": 2, "other": 7}
_TOOL_MODES = {"manual": 0, "mdi": 0, "automatic": 1, "setup": 2, "other": 5}
_PROGRAM = {"stopped": 0, "active": 1, "feed_hold": 2, "interrupted": 3, "ready": 4, "other": 0}
_CHANNEL_STATES = {"active": 0, "interrupted": 1, "feed_hold": 1, "stopped": 2, "ready": 2, "other": 2}

SIGNALS: dict[str, list[tuple[str, Pack]]] = {
    "power": [("Recording/PowerOn", values.flag)],
    "mode": [
        (f"{CHANNEL}/ActOperationMode", values.words(_MODES)),
        ("Monitoring/Channel1/ChannelMode", values.words(_CHANNEL_MODES)),
        (f"{TOOL}/OperationMode", values.words(_TOOL_MODES)),
    ],
    "execution": [
        (f"{CHANNEL}/ActProgramStatus", values.words(_PROGRAM)),
        (f"{CHANNEL}/ActStatus", values.words(_CHANNEL_STATES)),
        (f"{CHANNEL}/FeedHold", lambda word: values.flag(word == "feed_hold")),
        ("Monitoring/Channel1/ChannelState", values.words(_CHANNEL_STATES)),
    ],
    "feed": [(f"{CHANNEL}/ActFeedrate", values.double(50 / 3))],
    "counter.power_on": [(f"{TOOL}/OperationCounters/PowerOnDuration", values.double(1))],
    "counter.auto": [
        ("Recording/AutomaticDuration", values.double(1)),
        (f"{TOOL}/OperationCounters/OperationDuration", values.double(1)),
    ],
    "counter.cut": [("Recording/CuttingDuration", values.double(1))],
    "energy": [("Recording/Energy", values.double(1000))],
    "parts": [(f"{TOOL}/OperationCounters/PartsProducedInLifetime", values.uint64)],
    "replayed": [("Recording/Replayed", values.flag)],
    "heartbeat": [(HEARTBEAT_PATH, values.milliseconds_as_time)],
}
"""Signal -> nodes, by path from the machine object."""


@dataclass(slots=True)
class Machine:
    """The machine's writable nodes. `write` takes signals by name; unknown signals are ignored (and counted)."""

    nodes: dict[str, ValueNode] = field(default_factory=dict)
    writers: dict[str, tuple[Write, ...]] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    memory: dict[str, Value] = field(default_factory=dict)
    """The last power and execution, for the state that follows from both."""

    def write(self, signal: str, value: Value, at: int) -> None:
        """Write one signal's value with source time `at` (ticks) to all nodes that show it."""
        for write in self.writers.get(signal, ()):
            write(value, at)
        if signal not in self.writers:
            self.unknown[signal] = self.unknown.get(signal, 0) + 1

    def forget(self, at: int) -> None:
        """Show no values, since `at` (ticks): without a source time a client would date them to the present."""
        for node in self.nodes.values():
            node.raw = (b"", ua.StatusCodes.BadDataUnavailable, at)

    def shown(self) -> "Shown":
        """What a reader sees now."""
        return [node.raw for node in self.nodes.values()], dict(self.memory)

    def show(self, shown: "Shown") -> None:
        """Show again what was `shown`, without notifying anybody."""
        raws, self.memory = shown[0], dict(shown[1])
        for node, raw in zip(self.nodes.values(), raws, strict=True):
            node.raw = raw


def parts_of(signals: Iterable[str], kind: str) -> list[str]:
    """Names of the spindles or axes (`kind`) that occur in `signals`, in order of name."""
    return sorted({signal.split(".")[1] for signal in signals if signal.startswith(kind + ".")})


def build_machine(server: Server, names: Names, *, name: str, signals: Iterable[str], serial: str) -> Machine:
    """Build the machine object `name` with everything that `signals` need."""
    signals = set(signals)
    spindles, axes = parts_of(signals, "spindle"), parts_of(signals, "axis")
    build_objects(server, names, name, spindles, axes, serial)
    machine = Machine()

    def node(path: str, pack: Pack) -> ValueNode:
        if path not in machine.nodes:
            machine.nodes[path] = ValueNode(server, names.node(f"ss:{name}/{path}"), pack)
        return machine.nodes[path]

    table = dict(SIGNALS)
    for spindle in spindles:
        drive = f"CncInterface/CncSpindleList/{spindle}"
        turning = (f"Monitoring/{spindle}/IsRotating", values.flag)
        table[f"spindle.{spindle}.speed"] = [(f"{drive}/ActSpeed", values.double(1000)), turning]
        table[f"spindle.{spindle}.load"] = [(f"{drive}/ActLoad", values.double(10))]
    for axis in axes:
        position = f"CncInterface/CncAxisList/{axis}/PosDirect/ActPos"
        table[f"axis.{axis}.position"] = [(position, values.double(1000))]
    for signal, feeds in table.items():
        machine.writers[signal] = tuple(node(path, pack).write for path, pack in feeds)
    _add_states(machine, names, node)
    return machine


def _add_states(machine: Machine, names: Names, node: Callable[[str, Pack], ValueNode]) -> None:
    """Let power, execution and mode also drive the Machinery model's two state machines."""
    item = _StateNodes(node, names, f"{TOOL}/MachineryItemState", _ITEM_STATES)
    mode = _StateNodes(node, names, f"{TOOL}/MachineryOperationMode", _OPERATION_MODES)

    def item_state(signal: str) -> Write:
        def write(value: Value, at: int) -> None:
            memory = machine.memory
            memory[signal] = value
            if memory.get("power") is None:
                item.show(None, at)
            elif not memory["power"]:
                item.show("NotAvailable", at)
            else:
                item.show("Executing" if memory.get("execution") == "active" else "NotExecuting", at)

        return write

    def operation_mode(value: Value, at: int) -> None:
        known = value is not None and value != "other"
        mode.show(("Processing" if value == "automatic" else "Setup") if known else "None", at)

    for signal in ("power", "execution"):
        machine.writers[signal] += (item_state(signal),)
    machine.writers["mode"] += (operation_mode,)


_ITEM_STATES = {"NotAvailable": "mach:5005", "Executing": "mach:5006", "NotExecuting": "mach:5007"}
_OPERATION_MODES = {"None": "mt:5059", "Setup": "mt:5061", "Processing": "mt:5060"}


class _StateNodes:
    """CurrentState and its Id, written when the state changes."""

    def __init__(self, node: Callable[[str, Pack], ValueNode], names: Names, path: str, states: dict[str, str]) -> None:
        texts = {word: ua.Variant(ua.LocalizedText(word)) for word in states}
        ids = {word: ua.Variant(names.node(state)) for word, state in states.items()}
        self._text = node(f"{path}/CurrentState", values.nodes(texts))
        self._id = node(f"{path}/CurrentState/Id", values.nodes(ids))

    def show(self, state: str | None, at: int) -> None:
        if self._text.is_other(state):
            self._text.write(state, at)
            self._id.write(state, at)
