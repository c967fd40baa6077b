"""Nodes whose values are written often: packed once, then handed as bytes to every subscription that monitors them."""

import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from asyncua import Server, ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import variant_from_binary, variant_to_binary

Pack: TypeAlias = Callable[[int | str | bool], bytes]
"""Makes of a signal's exact value the binary Variant of one node."""
Raw: TypeAlias = tuple[bytes, int, int]
"""Binary Variant (empty: no value), status code, source timestamp in ticks."""

NO_COMMUNICATION: int = ua.StatusCodes.BadNoCommunication

_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TICKS_TO_UNIX = 116_444_736_000_000_000  # 1601-01-01 to 1970-01-01 in 100 ns


def ticks(moment: datetime) -> int:
    """OPC UA's DateTime: 100 ns since 1601, UTC; exact for any datetime."""
    return (moment - _UNIX) // _MICROSECOND * 10 + _TICKS_TO_UNIX


def moment(count: int) -> datetime:
    """The inverse of `ticks`."""
    return _UNIX + timedelta(microseconds=(count - _TICKS_TO_UNIX) // 10)


def flag(value: int | str | bool) -> bytes:
    return b"\x01\x01" if value else b"\x01\x00"


def double(unit: float) -> Pack:
    """A Double: the exact value divided by `unit` (1000 for thousandths)."""
    pack = struct.Struct("<Bd").pack
    return lambda value: pack(11, value / unit)  # type: ignore[operator]


def uint64(value: int | str | bool) -> bytes:
    return struct.pack("<BQ", 9, value)


def milliseconds_as_time(value: int | str | bool) -> bytes:
    """A DateTime of milliseconds since 1970."""
    return struct.pack("<Bq", 13, int(value) * 10_000 + _TICKS_TO_UNIX)


def words(numbers: dict[str, int]) -> Pack:
    """An enumeration's number by word; words that are not in `numbers` get the number of `other`."""
    packed = {word: struct.pack("<Bi", 6, number) for word, number in numbers.items()}
    return lambda word: packed.get(str(word), packed["other"])


def nodes(variants: dict[str, ua.Variant]) -> Pack:
    """Any Variant by word."""
    packed = {word: variant_to_binary(variant) for word, variant in variants.items()}
    return lambda word: packed[str(word)]


def from_data_value(value: ua.DataValue) -> Raw:
    """The raw form of a value that somebody else wrote (the server's own clock, for instance)."""
    status = value.StatusCode.value if value.StatusCode else 0
    packed = variant_to_binary(value.Value) if value.Value is not None and value.Value.Value is not None else b""
    return packed, status, ticks(value.SourceTimestamp) if value.SourceTimestamp else 0


class ValueNode:
    """One variable of the address space with a fast way in. `raw` is what a Read sees."""

    __slots__ = ("_callbacks", "_pack", "node", "raw")

    def __init__(self, server: Server, node: ua.NodeId, pack: Pack) -> None:
        attribute = server.iserver.aspace[node].attributes[ua.AttributeIds.Value]
        attribute.value_callback = self._read
        self._callbacks = attribute.datachange_callbacks
        self._pack = pack
        self.node = node
        self.raw: Raw = (b"", ua.StatusCodes.BadDataUnavailable, 0)

    def write(self, value: int | str | bool | None, at: int) -> None:
        """Take a new value with source timestamp `at` (ticks) and offer it to all who monitor this node."""
        if value is None:
            self.raw = raw = (b"", NO_COMMUNICATION, at)
        else:
            self.raw = raw = (self._pack(value), 0, at)
        for handle, callback in self._callbacks.items():
            # A monitored item's callback is a method of its subscription's item service.
            callback.__self__.offer(handle, raw)

    def is_other(self, value: int | str | bool | None) -> bool:
        """Whether a write of `value` would change what is shown."""
        packed, status, _ = self.raw
        if value is None:
            return status != NO_COMMUNICATION
        return status != 0 or packed != self._pack(value)

    def _read(self, _node: ua.NodeId, _attribute: ua.AttributeIds) -> ua.DataValue:
        packed, status, at = self.raw
        return ua.DataValue(
            variant_from_binary(Buffer(packed)) if packed else None,
            StatusCode=ua.StatusCode(status),
            SourceTimestamp=moment(at) if at else None,
            ServerTimestamp=datetime.now(UTC),
        )
