"""Notification messages read from the wire: what asyncua's general codec does, at a fraction of its cost.

A machine sends a thousand values a second and more, nearly all of them numbers with a source time. Those are read here
by one `struct` each, by the layout that the standard gives them (OPC 10000-6, 5.2.2.17); everything else in a message
is left to asyncua's own codec. Unlike that one, the layout of a DataValue here has the picoseconds where the standard
has them: each after its time.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from struct import Struct
from typing import Any, TypeAlias

from asyncua import ua
from asyncua.common.utils import Buffer, NotEnoughData
from asyncua.ua.ua_binary import (
    extensionobject_from_binary,
    nodeid_from_binary,
    struct_from_binary,
    variant_from_binary,
)

Change: TypeAlias = tuple[int, Any, int, int]
"""Client handle, value, status code, and source time in 100 ns since 1601 UTC (0: not told)."""

_DATA_CHANGE = ua.FourByteNodeId(ua.ObjectIds.DataChangeNotification_Encoding_DefaultBinary)
_VALUE, _STATUS, _SOURCE, _SERVER, _SOURCE_PICO, _SERVER_PICO = (1 << bit for bit in range(6))
_NUMBERS = {1: "?", 2: "b", 3: "B", 4: "h", 5: "H", 6: "i", 7: "I", 8: "q", 9: "Q", 10: "f", 11: "d"}
"""Variant types of a fixed size, by their identifier."""
_MOST = 1_000_000
_U32, _I32, _I64 = Struct("<I"), Struct("<i"), Struct("<q")


class Undecodable(Exception):
    """A message of the server cannot be read: it is cut short, or contradicts itself."""


@dataclass(frozen=True, slots=True)
class Message:
    """One notification message. `closed`: why the server ended the subscription, when the message says so.

    `empty`: a keep-alive, whose number is the next message's.
    """

    sequence: int
    published: datetime
    changes: Sequence[Change] = ()
    closed: str = ""
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """An answer to a publish request. `available`: numbers that the server still holds; `more`: it has more to send."""

    subscription: int
    message: Message
    available: list[int] = field(default_factory=list)
    more: bool = False


def read_publish(data: Buffer) -> Published:
    """The body of a PublishResponse. Undecodable; asyncua's error when the server refused."""
    try:
        nodeid_from_binary(data)
        struct_from_binary(ua.ResponseHeader, data).ServiceResult.check()
        subscription = _U32.unpack(data.read(4))[0]
        count = _count(data)
        available = list(Struct(f"<{count}I").unpack(data.read(4 * count)))
        more = data.read(1) != b"\0"
        return Published(subscription, _message(data), available, more)
    except (struct.error, NotEnoughData, ValueError, TypeError, IndexError) as error:
        raise Undecodable(f"an answer to a publish request cannot be read: {error}") from error


def read_republish(data: Buffer) -> Message:
    """The body of a RepublishResponse. Undecodable; asyncua's error when the server refused."""
    try:
        nodeid_from_binary(data)
        struct_from_binary(ua.ResponseHeader, data).ServiceResult.check()
        return _message(data)
    except (struct.error, NotEnoughData, ValueError, TypeError, IndexError) as error:
        raise Undecodable(f"a message sent again cannot be read: {error}") from error


def _message(data: Buffer) -> Message:
    sequence = _U32.unpack(data.read(4))[0]
    published = ua.win_epoch_to_datetime(_I64.unpack(data.read(8))[0])
    changes: list[Change] = []
    closed = ""
    count = _count(data)
    for _ in range(count):
        whole = data.copy()
        kind = nodeid_from_binary(data)
        if kind == _DATA_CHANGE and data.read(1) == b"\1":
            changes += read_changes(data.read(_count(data)))
            continue
        data.rewind(whole.cur_pos)
        other = extensionobject_from_binary(data)
        if isinstance(other, ua.StatusChangeNotification):
            closed = closed or str(other.Status.name)
        elif isinstance(other, ua.DataChangeNotification):
            raise Undecodable("a data change in an encoding that is not binary")
    return Message(sequence, published, changes, closed, empty=not count)


def _count(data: Buffer) -> int:
    """The length of an array: -1 is an array that is not there. More than a message can hold is refused."""
    count = int(_I32.unpack(data.read(4))[0])
    if count > _MOST:
        raise Undecodable(f"an array of {count} elements")
    return max(count, 0)


def read_changes(body: bytes) -> list[Change]:
    """The monitored items of a DataChangeNotification, from its bytes."""
    changes: list[Change] = []
    add, layouts = changes.append, _LAYOUTS
    offset = 4
    for _ in range(_I32.unpack_from(body)[0]):
        layout = layouts.get(body[offset + 4 : offset + 6])
        if layout is None:
            change, offset = _any_change(body, offset)
            add(change)
            continue
        unpack, size, has_status, has_source = layout
        if has_source:
            if has_status:
                add(unpack(body, offset))
            else:
                handle, value, source = unpack(body, offset)
                add((handle, value, 0, source))
        elif has_status:
            add((*unpack(body, offset), 0))
        else:
            add((*unpack(body, offset), 0, 0))
        offset += size
    return changes


def _any_change(body: bytes, offset: int) -> tuple[Change, int]:
    """One item of any kind, its value by asyncua; and where the next one begins."""
    data = Buffer(body, offset)
    handle = _U32.unpack(data.read(4))[0]
    mask = data.read(1)[0]
    value = variant_from_binary(data).Value if mask & _VALUE else None
    status = _U32.unpack(data.read(4))[0] if mask & _STATUS else 0
    source = _I64.unpack(data.read(8))[0] if mask & _SOURCE else 0
    data.skip(sum(size for bit, size in ((_SOURCE_PICO, 2), (_SERVER, 8), (_SERVER_PICO, 2)) if mask & bit))
    return (handle, value, status, source), data.cur_pos


def _layouts() -> dict[bytes, tuple[Any, int, bool, bool]]:
    """By an item's mask and its value's type: how to read it, its size, whether it has a status and a source time."""
    found: dict[bytes, tuple[Any, int, bool, bool]] = {}
    for mask in range(1, 64, 2):
        rest = "I" * bool(mask & _STATUS) + "q" * bool(mask & _SOURCE)
        unread = 2 * bool(mask & _SOURCE_PICO) + 8 * bool(mask & _SERVER) + 2 * bool(mask & _SERVER_PICO)
        for kind, letter in _NUMBERS.items():
            layout = Struct(f"<I2x{letter}{rest}{unread}x")
            key = bytes((mask, kind))
            found[key] = (layout.unpack_from, layout.size, bool(mask & _STATUS), bool(mask & _SOURCE))
    return found


_LAYOUTS = _layouts()
