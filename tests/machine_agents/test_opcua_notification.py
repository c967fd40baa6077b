"""Notification messages by our own reader: to the bit what asyncua's codec reads, and right where that one is not."""

import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import extensionobject_to_binary, nodeid_to_binary, struct_from_binary, struct_to_binary
from asyncua.ua.uaerrors import BadSubscriptionIdInvalid
from hypothesis import given
from hypothesis import strategies as st

from machine_agents.opcua_source.notification import Undecodable, read_changes, read_publish, read_republish

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
TYPE = ua.VariantType
WHOLE = {TYPE.SByte: 8, TYPE.Int16: 16, TYPE.Int32: 32, TYPE.Int64: 64}
NATURAL = {TYPE.Byte: 8, TYPE.UInt16: 16, TYPE.UInt32: 32, TYPE.UInt64: 64}
MOMENTS = st.integers(0, 10**15).map(lambda us: START + timedelta(microseconds=us - 10**14))


def of(kind: ua.VariantType, values: st.SearchStrategy[Any]) -> st.SearchStrategy[ua.Variant]:
    return values.map(lambda value: ua.Variant(value, kind))


VARIANTS = st.one_of(
    *(of(kind, st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)) for kind, bits in WHOLE.items()),
    *(of(kind, st.integers(0, 2**bits - 1)) for kind, bits in NATURAL.items()),
    of(TYPE.Boolean, st.booleans()),
    of(TYPE.Double, st.floats(allow_nan=False)),
    of(TYPE.Float, st.floats(allow_nan=False, width=32)),
    of(TYPE.String, st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)),
    of(TYPE.DateTime, MOMENTS),
    of(TYPE.Guid, st.uuids()),
    of(TYPE.ByteString, st.none() | st.binary(max_size=20)),
    of(TYPE.NodeId, st.builds(ua.NodeId, st.integers(0, 2**32 - 1), st.integers(0, 9))),
    of(TYPE.LocalizedText, st.text(st.characters(exclude_categories=["Cs"]), max_size=9).map(ua.LocalizedText)),
    of(TYPE.Int32, st.lists(st.integers(-9, 9), max_size=4)),
    of(TYPE.Double, st.lists(st.floats(allow_nan=False), min_size=1, max_size=4)),
)
VALUES = st.builds(
    lambda variant, code, source, server: ua.DataValue(
        variant, None if code is None else ua.StatusCode(code), SourceTimestamp=source, ServerTimestamp=server
    ),
    st.just(ua.Variant()) | VARIANTS,
    st.none() | st.sampled_from([0, 0x480, 0x40000000, 0x80000000]) | st.integers(0, 2**32 - 1),
    st.none() | MOMENTS,
    st.none() | MOMENTS,
)
ITEMS = st.lists(st.builds(ua.MonitoredItemNotification, st.integers(0, 2**32 - 1), VALUES), max_size=12)


def ticks(moment: datetime | None) -> int:
    return 0 if moment is None else int(ua.datetime_to_win_epoch(moment))


@given(ITEMS)
def test_every_value_is_read_as_asyncua_reads_it(items: list[ua.MonitoredItemNotification]) -> None:
    body = struct_to_binary(ua.DataChangeNotification(items))
    wanted = struct_from_binary(ua.DataChangeNotification, Buffer(body)).MonitoredItems
    assert read_changes(body) == [
        (
            one.ClientHandle,
            one.Value.Value.Value,
            one.Value.StatusCode.value,
            ticks(one.Value.SourceTimestamp),
        )
        for one in wanted
    ]
    for got, one in zip(read_changes(body), wanted, strict=True):
        assert type(got[1]) is type(one.Value.Value.Value)


@given(
    st.sampled_from([(6, "i", -7), (11, "d", 2.5), (1, "?", True), (12, None, "ab")]),
    st.lists(st.booleans(), min_size=5, max_size=5),
)
def test_fields_are_where_the_standard_has_them(kind: tuple[int, str | None, Any], told: list[bool]) -> None:
    """By hand after OPC 10000-6, 5.2.2.17; asyncua itself has picoseconds in the wrong place."""
    number, letter, value = kind
    status, source, server, pico, server_pico = told
    text = struct.pack("<i2s", 2, b"ab") if letter is None else struct.pack(f"<{letter}", value)
    mask = 1 | status << 1 | source << 2 | server << 3 | pico << 4 | server_pico << 5
    item = struct.pack("<IBB", 4_000_000_000, mask, number) + text
    item += struct.pack("<I", 0x480) * status + struct.pack("<q", 123) * source + b"\x09\x08" * pico
    item += struct.pack("<q", 456) * server + b"\x07\x06" * server_pico
    change = (4_000_000_000, value, 0x480 * status, 123 * source)
    assert read_changes(struct.pack("<i", 2) + 2 * item) == [change, change]


def publish_response(message: ua.NotificationMessage, **changes: Any) -> bytes:
    result = ua.PublishResult(7, [1, 2, 3], False, message, [ua.StatusCode()], [])
    for name, value in changes.items():
        setattr(result, name, value)
    return bytes(struct_to_binary(ua.PublishResponse(Parameters=result)))


def data_change(*values: Any) -> ua.DataChangeNotification:
    items = [ua.MonitoredItemNotification(n, ua.DataValue(ua.Variant(value))) for n, value in enumerate(values)]
    return ua.DataChangeNotification(items)


def test_an_answer_with_everything_in_it() -> None:
    ended = ua.StatusChangeNotification(ua.StatusCode(ua.StatusCodes.BadTimeout))
    parts: list[Any] = [data_change(1.5, "x"), ended, data_change(True)]
    answer = read_publish(Buffer(publish_response(ua.NotificationMessage(9, START, parts), MoreNotifications=True)))
    assert (answer.subscription, answer.available, answer.more) == (7, [1, 2, 3], True)
    message = answer.message
    assert (message.sequence, message.published, message.closed, message.empty) == (9, START, "BadTimeout", False)
    assert [change[:2] for change in message.changes] == [(0, 1.5), (1, "x"), (0, True)]


def test_a_keep_alive_is_empty_and_a_message_sent_again_is_read_alike() -> None:
    answer = read_publish(Buffer(publish_response(ua.NotificationMessage(9, START, []), AvailableSequenceNumbers=[])))
    assert (answer.message.empty, answer.message.sequence, answer.available, answer.more) == (True, 9, [], False)
    again = ua.RepublishResponse(NotificationMessage=ua.NotificationMessage(4, START, [data_change(5)]))
    assert read_republish(Buffer(struct_to_binary(again))).changes == [(0, 5, 0, 0)]


def test_a_refusal_is_asyncuas_own_error() -> None:
    refused = ua.RepublishResponse()
    refused.ResponseHeader.ServiceResult = ua.StatusCode(ua.StatusCodes.BadSubscriptionIdInvalid)
    with pytest.raises(BadSubscriptionIdInvalid):
        read_republish(Buffer(struct_to_binary(refused)))


@given(st.data())
def test_a_message_that_is_cut_short_is_refused_and_never_half_read(data: st.DataObject) -> None:
    whole = ua.NotificationMessage(9, START, [data_change(1.5, 2, True, "text", [1, 2])])
    text = struct_to_binary(ua.RepublishResponse(NotificationMessage=whole))
    cut = data.draw(st.integers(30, len(text) - 1))
    with pytest.raises(Undecodable):
        read_republish(Buffer(text[:cut]))


def test_an_array_longer_than_the_message_is_refused() -> None:
    header = nodeid_to_binary(ua.FourByteNodeId(1)) + struct_to_binary(ua.ResponseHeader())
    with pytest.raises(Undecodable):
        read_republish(Buffer(header + struct.pack("<Iqi", 1, 0, 2**31 - 1)))
    lying = bytearray(extensionobject_to_binary(data_change(1)))
    lying[9:13] = struct.pack("<i", 2**31 - 1)
    with pytest.raises(Undecodable):
        read_republish(Buffer(header + struct.pack("<Iqi", 1, 0, 1) + bytes(lying)))
