"""The text of recordings: our own format's header and lines, and what a line of either format may look like.

Own format, version 1, UTF-8, plain or .xz:

    # spindleshare recording 1
    # machine: MT-2 mill-turn (seeded model)
    # serial: MODEL-7
    # mark: own                      own | foreign: whether the recording may be replayed as if it ended now
    # begin: 2026-05-01T00:00:00Z    the period recorded, [begin, end)
    # end: 2026-05-31T00:00:00Z
    # silence: 30000                 optional: longest pause in ms that the machine makes while its line is up
    # signal: spindle.S1.speed       one line per signal, in the units of observation.py
    2026-05-04T04:00:01.000Z|execution|active

Then one line per change, `UTC time|signal|value`; a value is an integer, a word, true, false or UNAVAILABLE.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from machine_agents.observation import TEXTS, Observation
from machine_agents.signal_codes import codes_of

MAGIC = "# spindleshare recording 1"
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "UNAVAILABLE": None}


class RecordingError(ValueError):
    """A recording must be readable to its end: the message names file and line, and says what is wrong there."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a recording says of itself. `own`: made by this project, so that it may be moved in time.

    `silence_ms` is the limit of silence (Policy.silence_ms) that suits the machine, chosen from its data; 0: not known.
    """

    machine: str
    serial: str
    own: bool
    begin: datetime
    end: datetime
    signals: tuple[str, ...]
    credit: str = ""
    silence_ms: int = 0


def header_text(header: Header) -> str:
    """The header's lines of the own format."""
    lines = [
        MAGIC,
        f"# machine: {header.machine}",
        f"# serial: {header.serial}",
        f"# mark: {'own' if header.own else 'foreign'}",
        f"# begin: {time_text(header.begin)}",
        f"# end: {time_text(header.end)}",
        *([f"# credit: {header.credit}"] if header.credit else []),
        *([f"# silence: {header.silence_ms}"] if header.silence_ms else []),
        *(f"# signal: {signal}" for signal in header.signals),
    ]
    return "\n".join(lines) + "\n"


def parse_header(lines: Iterable[str]) -> Header:
    """The header from its lines, those that begin with `#`; raises RecordingError."""
    fields: dict[str, str] = {}
    signals: list[str] = []
    for line in lines:
        name, _, text = line.lstrip("# ").partition(":")
        if name == "signal":
            signals.append(text.strip())
        else:
            fields[name] = text.strip()
    missing = [name for name in ("machine", "serial", "mark", "begin", "end") if not fields.get(name)]
    if missing:
        raise RecordingError(f"the header lacks {', '.join(missing)}")
    begin, end = (parse_time(fields[name]) for name in ("begin", "end"))
    silence = fields.get("silence", "0")
    if not silence.isdecimal():
        raise RecordingError(f"the header's silence {silence!r} is no number of milliseconds")
    own = fields["mark"] == "own"
    return Header(
        fields["machine"], fields["serial"], own, begin, end, tuple(signals), fields.get("credit", ""), int(silence)
    )


def line_text(seen: Observation) -> str:
    """One observation as a line of the own format."""
    value = seen.value
    text = "UNAVAILABLE" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return f"{time_text(seen.source_time)}|{seen.signal}|{text}\n"


def own_value(signal: str, text: str) -> int | str | bool | None:
    """The value that a line of the own format gives; raises ValueError."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if signal in TEXTS:
        return text
    if not codes_of(signal):
        raise ValueError(f"{signal!r} is no signal")
    try:
        return int(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no integer for {signal}") from error


def parse_time(text: str) -> datetime:
    """A UTC time such as 2026-05-04T04:00:01.000Z; raises RecordingError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise RecordingError(f"{text!r} is no UTC time such as 2026-05-04T04:00:01.000Z") from error
    if moment.tzinfo is None:
        raise RecordingError(f"the time {text!r} has no zone: add Z")
    return moment.astimezone(UTC)


def parse_foreign_time(text: str) -> datetime:
    """A time of a foreign log, which is UTC whether it says so or not; raises RecordingError."""
    text = text.strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise RecordingError(f"{text!r} is no time") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def time_text(moment: datetime) -> str:
    """UTC with milliseconds, as recordings write it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
