"""Profiles: which node of a server means which signal, and how its value becomes an exact one.

The format is documented in the README's section "Profiles"; `profile_file` reads it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from machine_agents.conversion import Convert as Convert
from machine_agents.conversion import converter
from machine_agents.counter_policy import CounterPolicy

FOLDER = Path(__file__).with_name("profiles")
MACHINE, CHANNEL = "machine", "channel"
"""Holes that the agent's configuration may fill."""


class BadProfile(ValueError):
    """The profile is missing, is no TOML, or one of its entries does not say what it must."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path: a browse name in a namespace, a hole for any object (`{spindle}`), or any depth (`**`)."""

    name: str
    namespace: str = ""
    hole: bool = False
    deep: bool = False

    def __str__(self) -> str:
        return "{" + self.name + "}" if self.hole else self.name


@dataclass(frozen=True, slots=True)
class NodeName:
    """A node by its identifier in a namespace: `kind` is s, i, g or b as in a node id; `{holes}` may be in a text."""

    namespace: str
    kind: str
    identifier: str

    def __str__(self) -> str:
        return f"{self.kind}={self.identifier}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One node, or with holes one kind of node, and what it means. `unit` is a UN/ECE common code.

    The node is given by `path`, from Objects or from the machine, or by `node`. `scale` leads from the unit to the
    signal's own; `words` from the node's values.
    """

    signal: str
    path: tuple[Step, ...]
    kind: str
    scale: Fraction = Fraction(1)
    unit: str = ""
    words: Mapping[str, str | bool] = field(default_factory=dict)
    node: NodeName | None = None

    @property
    def text(self) -> str:
        """The path or identifier as people read it."""
        return str(self.node) if self.node else "/".join(map(str, self.path))

    @property
    def from_machine(self) -> bool:
        """Whether the path begins at the machine that the profile found."""
        return bool(self.path) and self.path[0].hole and self.path[0].name == MACHINE

    def converter(self) -> Convert:
        """A function from the node's value to the signal's exact value; None for what cannot be one."""
        return converter(self.kind, self.scale, self.words)


@dataclass(frozen=True, slots=True)
class MachinePlace:
    """Where machines lie: a path that ends with `{machine}`, and children of which a machine has at least one."""

    path: tuple[Step, ...]
    has: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """What a vendor's server is made for; 0 or nothing where it does not say. Intervals in milliseconds."""

    samples_per_second: int = 0
    sampling_ms: tuple[int, ...] = ()
    publish_ms: tuple[int, ...] = ()
    items: int = 0
    subscriptions: int = 0
    queue: int = 0
    source: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """A family of machines' nodes. `digest` changes with the file: another profile is another subscription.

    `holes` are the values that holes in node identifiers may have; `notes` what people should know of this family;
    `counters` what unusual steps of a counter mean, by signal, where it is not the usual.
    """

    name: str
    description: str
    digest: str
    entries: tuple[Entry, ...]
    timestamp_trigger: bool = False
    settle_ms: int = 0
    machine: MachinePlace | None = None
    holes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    budget: Budget = field(default_factory=Budget)
    notes: tuple[str, ...] = ()
    counters: Mapping[str, CounterPolicy] = field(default_factory=dict)


def names() -> list[str]:
    """The profiles that come with the agent."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Profile:
    """The profile of that name, or in that file when `name` ends in .toml."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        known = ", ".join(names())
        raise BadProfile(f"there is no profile {name!r}; there are {known}, or give a .toml file") from None
    return parse(text, str(path))


def parse(text: str, origin: str) -> Profile:
    """The profile that `text` says; `origin` names it in errors."""
    from machine_agents.profile_file import read

    return read(text, origin)
