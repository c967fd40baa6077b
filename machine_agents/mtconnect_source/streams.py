"""An agent's answers to `current` and `sample`: a header that says how far, and observations by sequence number."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from machine_agents.mtconnect_xml import XmlRefused, read


class BadAnswer(ValueError):
    """The answer is no MTConnect document that we can read."""


class OutOfRange(Exception):
    """The agent no longer has the sequence number asked for: what was overwritten is lost."""


class AgentError(Exception):
    """The agent answered with an error of its own; the message is its words."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One observation: its data item, sequence number, the source's time and its text."""

    item: str
    sequence: int
    time: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Streams:
    """`instance` changes when the agent's buffer begins anew. The buffer holds `first` to `last`; the observations here
    end before `next`. `created` is the agent's clock."""

    instance: int
    first: int
    last: int
    next: int
    created: datetime
    seen: tuple[Seen, ...]

    @property
    def complete(self) -> bool:
        """Whether everything that the agent has is in this answer or came before it."""
        return self.next > self.last


def parse_streams(document: bytes) -> Streams:
    """Read an answer. BadAnswer; OutOfRange and AgentError when it is the agent's error document."""
    reader = _Reader()
    try:
        read(document, begin=reader.begin, end=reader.end)
        return reader.result()
    except XmlRefused as error:
        raise BadAnswer(f"the agent's answer cannot be read: {error}") from error


@dataclass(slots=True)
class _Reader:
    root: str = ""
    header: Mapping[str, str] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)
    _stack: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def begin(self, name: str, attributes: Mapping[str, str]) -> None:
        if not self._stack:
            self.root = name
        elif name == "Header":
            self.header = attributes
        self._stack.append((name, attributes))

    def end(self, name: str, text: str) -> None:
        _, attributes = self._stack.pop()
        if self._stack and self._stack[-1][0] in ("Samples", "Events") and "dataItemId" in attributes:
            self.seen.append(_seen(attributes, text))
        elif self.root == "MTConnectError" and "errorCode" in attributes:
            self.errors.append((attributes["errorCode"], text))

    def result(self) -> Streams:
        if self.root == "MTConnectError":
            # A request before the buffer's begin is OUT_OF_RANGE; so is one after its end, of an agent begun anew.
            if any(code == "OUT_OF_RANGE" for code, _ in self.errors):
                raise OutOfRange
            raise AgentError("; ".join(f"{code}: {text}" for code, text in self.errors) or "an error without a reason")
        if self.root != "MTConnectStreams":
            raise BadAnswer(f"the agent's answer is {self.root or 'nothing'}, not MTConnectStreams")
        return Streams(
            instance=self._number("instanceId"),
            first=self._number("firstSequence"),
            last=self._number("lastSequence"),
            next=self._number("nextSequence"),
            created=_time(self.header.get("creationTime", "")),
            seen=tuple(sorted(self.seen, key=lambda seen: seen.sequence)),
        )

    def _number(self, name: str) -> int:
        text = self.header.get(name, "")
        if not text.isdecimal() or len(text) > 20:
            raise BadAnswer(f"the header's {name} is {text!r}, not a number")
        return int(text)


def _seen(attributes: Mapping[str, str], text: str) -> Seen:
    sequence = attributes.get("sequence", "")
    if not sequence.isdecimal() or len(sequence) > 20:
        raise BadAnswer(f"an observation of {attributes['dataItemId']} has the sequence {sequence!r}")
    return Seen(attributes["dataItemId"], int(sequence), _time(attributes.get("timestamp", "")), text)


def _time(text: str) -> datetime:
    """A time stamp: UTC, also where an agent leaves the Z away, with seconds of any number of digits."""
    head, point, fraction = text.partition(".")
    digits = fraction.rstrip("Zz")
    if point and digits.isdecimal():
        text = f"{head}.{digits[:6].ljust(6, '0')}+00:00"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadAnswer(f"{text!r} is no time") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
