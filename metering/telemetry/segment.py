"""A segment of raw telemetry: the observations that an agent's fold took in a stretch of time, as it sends them.

Text, one JSON array or object a line, UTF-8, compressed by gzip. The first line is the header: whose it is, its number,
the number of its first row, the policy in force, and the opening (what the fold remembered before). Every other line is
a delivery: `[first row, watermark before, after, [[source time in us, signal, value], ...]]`, watermarks in ms.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

Value: TypeAlias = int | str | bool | None
Taken: TypeAlias = tuple[int, str, Value]
"""Source time in microseconds since 1970, signal, value."""

FORMAT = 1
MAX_COMPRESSED = 8 * 1024 * 1024
MAX_TEXT = 128 * 1024 * 1024
MAX_ROWS = 2_000_000
_MAX_NAME, _MAX_NUMBER = 200, 2**62
_BLOCK = 1024 * 1024


class BadSegment(ValueError):
    """What was sent is no segment of telemetry; the message says where it fails."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a fold remembered before a segment's first row, so that a roll-up may begin there.

    `seen` holds, per signal, the source time in us and the values of the newest observation. `carry` holds what is not
    among them: a spindle's rest of a revolution (`spindle.S1.speed`), a counter's last value, an axis' last position
    (absent while a jump would be no travel).
    """

    settled_ms: int
    life_end_ms: int = 0
    seen: Mapping[str, tuple[int, tuple[Value, ...]]] = field(default_factory=dict)
    carry: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Header:
    """`row` is the number of the first row; rows of a meter count from 1, so a hole in them is a gap in telemetry.

    `policy` holds the agent's whole numbers by name. `thinned`: values of analogue signals were left out to save space.
    """

    meter: str
    number: int
    row: int
    policy: Mapping[str, int]
    opening: Opening
    thinned: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one delivery brought: rows numbered from `row` on, and the watermarks before and after it, in ms."""

    row: int
    after_ms: int
    until_ms: int
    taken: tuple[Taken, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    header: Header
    deliveries: tuple[Delivery, ...]

    @property
    def next_row(self) -> int:
        """The number that the row after this segment's last has."""
        last = self.deliveries[-1] if self.deliveries else None
        return last.row + len(last.taken) if last else self.header.row

    @property
    def until_ms(self) -> int:
        """The watermark at its end."""
        return self.deliveries[-1].until_ms if self.deliveries else self.header.opening.settled_ms


def header_line(header: Header) -> str:
    """The header as the segment's first line, with its line break."""
    return json.dumps({"format": FORMAT, **asdict(header)}, separators=(",", ":")) + "\n"


def delivery_line(row: int, after_ms: int, until_ms: int, taken: Iterable[Taken]) -> str:
    """A delivery as a line, with its line break."""
    return json.dumps([row, after_ms, until_ms, list(taken)], separators=(",", ":")) + "\n"


def unpack(compressed: bytes, *, limit: int = MAX_TEXT) -> bytes:
    """The text of a gzip-compressed segment; BadSegment when it is none or grows beyond `limit` bytes."""
    if len(compressed) > MAX_COMPRESSED:
        raise BadSegment(f"a segment has at most {MAX_COMPRESSED} bytes")
    unpacker = zlib.decompressobj(wbits=31)
    parts, size, rest = [], 0, compressed
    try:
        while rest and not unpacker.eof:
            parts.append(unpacker.decompress(rest, _BLOCK))
            size += len(parts[-1])
            if size > limit:
                raise BadSegment(f"a segment unpacks to at most {limit} bytes")
            rest = unpacker.unconsumed_tail
    except zlib.error as error:
        raise BadSegment(f"not compressed by gzip: {error}") from error
    if not unpacker.eof or unpacker.unused_data:
        raise BadSegment("the compressed text is cut short, or something follows it")
    return b"".join(parts)


def parse(text: bytes, *, whole: bool = True) -> Segment:
    """The segment in an unpacked text. BadSegment names the line that is wrong.

    `whole`: its deliveries follow one another, as in everything that is sent.
    """
    lines = text.split(b"\n")
    if lines[-1]:
        raise BadSegment("the last line has no end")
    number = 1
    try:
        header = _header(json.loads(lines[0]))
        deliveries = []
        for line in lines[1:-1]:
            number += 1
            deliveries.append(_delivery(json.loads(line)))
        segment = Segment(header, tuple(deliveries))
        return _checked(segment) if whole else segment
    except BadSegment as error:
        raise BadSegment(f"line {number}: {error}") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadSegment(f"line {number} cannot be read ({type(error).__name__})") from error


def _header(plain: Any) -> Header:
    if plain.pop("format") != FORMAT:
        raise BadSegment(f"only format {FORMAT} is known")
    opening = plain.pop("opening")
    seen = {
        _name(signal): (_number(us), tuple(map(_value, values))) for signal, (us, values) in opening["seen"].items()
    }
    carry = {_name(signal): _number(value) for signal, value in opening["carry"].items()}
    policy = {_name(name): _number(value) for name, value in plain["policy"].items()}
    return Header(
        meter=_name(plain["meter"]),
        number=_positive(plain["number"]),
        row=_positive(plain["row"]),
        policy=policy,
        opening=Opening(_number(opening["settled_ms"]), _number(opening["life_end_ms"]), seen, carry),
        thinned=plain["thinned"] is True,
    )


def _delivery(plain: Any) -> Delivery:
    row, after_ms, until_ms, taken = plain
    rows = tuple((_number(us), _name(signal), _value(value)) for us, signal, value in taken)
    return Delivery(_positive(row), _number(after_ms), _number(until_ms), rows)


def _checked(segment: Segment) -> Segment:
    """Rows and watermarks follow one another; a thinned segment may lack rows."""
    row, settled, count = segment.header.row, segment.header.opening.settled_ms, 0
    for one in segment.deliveries:
        follows = one.row >= row if segment.header.thinned else one.row == row
        if not follows or one.after_ms != settled or one.until_ms < settled:
            raise BadSegment(f"row {one.row} does not follow")
        row, settled, count = one.row + len(one.taken), one.until_ms, count + len(one.taken)
    if count > MAX_ROWS:
        raise BadSegment(f"a segment has at most {MAX_ROWS} rows")
    return segment


def _name(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME:
        raise BadSegment(f"{value!r:.50} is no name")
    return value


def _number(value: Any) -> int:
    if type(value) is not int or not -_MAX_NUMBER < value < _MAX_NUMBER:
        raise BadSegment(f"{value!r:.50} is no whole number of at most 62 bits")
    return value


def _positive(value: Any) -> int:
    if _number(value) < 1:
        raise BadSegment(f"{value} is below 1")
    return int(value)


def _value(value: Any) -> Value:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if len(value) > _MAX_NAME:
            raise BadSegment("a word is too long")
        return value
    return _number(value)


def effective(segment: Segment) -> Iterator[tuple[int, int, Taken, bool]]:
    """Every row with its number, the time in ms at which it took effect, and whether it was news.

    A row takes effect at its source time, but not before the watermark that it came after. It is news unless the signal
    has said the same at the same time, or something newer, before.
    """
    newest = dict(segment.header.opening.seen)
    for delivery in segment.deliveries:
        for row, taken in enumerate(delivery.taken, start=delivery.row):
            us, signal, value = taken
            before = newest.get(signal)
            is_news = before is None or us > before[0] or (us == before[0] and value not in before[1])
            if is_news:
                known = before[1] if before and before[0] == us else ()
                newest[signal] = (us, (*known, value))
            yield row, max(us // 1000, delivery.after_ms), taken, is_news
