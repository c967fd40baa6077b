"""Messages in order, delivered in groups, losses said where they happened, acknowledged only when stored."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_to_binary

from machine_agents.delivery import NotStored
from machine_agents.opcua_source.inbox import Inbox
from machine_agents.opcua_source.notification import Message, read_republish
from machine_agents.opcua_source.state import SubscriptionState
from machine_agents.opcua_source.subscription import Vanished
from machine_agents.status import Status
from tests.machine_agents.plain_server import PROFILE, START, Collector

SIGNALS = ("heartbeat", "power", "spindle.S1.speed")
CONVERTERS = {entry.signal.format(spindle="S1"): entry.converter() for entry in PROFILE.entries}
OVERFLOW = 0x480
BEGUN = SubscriptionState(subscription=9, last_sequence=4, signals=SIGNALS, ready=True, fresh=False)


def inbox(sink: Collector, state: SubscriptionState = BEGUN) -> Inbox:
    status = Status(None, None, clock=lambda: START, monotonic=lambda: 0.0)
    return Inbox(state, CONVERTERS, sink, status, settle_ms=0, heard=lambda: None)


def item(signal: str, value: Any, second: int, code: int = 0) -> ua.MonitoredItemNotification:
    at = START + timedelta(seconds=second)
    data = ua.DataValue(ua.Variant(value), ua.StatusCode(code), SourceTimestamp=at)
    return ua.MonitoredItemNotification(SIGNALS.index(signal), data)


def beat(second: int) -> ua.MonitoredItemNotification:
    return item("heartbeat", START + timedelta(seconds=second), second)


def message(sequence: int, *items: ua.MonitoredItemNotification) -> Message:
    return sent(ua.NotificationMessage(sequence, START, [ua.DataChangeNotification(list(items))]))


def sent(message: ua.NotificationMessage) -> Message:
    """As it comes over the wire."""
    return read_republish(Buffer(struct_to_binary(ua.RepublishResponse(NotificationMessage=message))))


def acked(one: Inbox) -> list[int]:
    return [ack.SequenceNumber for ack in one.take_acks()]


def test_nothing_is_acknowledged_before_it_is_stored() -> None:
    sink = Collector()
    one = inbox(sink)
    one.add(message(5, item("power", True, 1)))
    one.add(message(6, beat(2)))
    assert acked(one) == []
    sink.failures = 1
    with pytest.raises(NotStored):
        one.deliver(complete=True)
    assert acked(one) == []
    one.deliver(complete=True)
    assert acked(one) == [5, 6]
    assert (sink.state.last_sequence, one.next) == (6, 7)
    assert sink.deliveries[0].heartbeat == START + timedelta(seconds=2)


def test_the_heartbeat_counts_only_when_the_server_has_no_more_to_send() -> None:
    sink = Collector()
    one = inbox(sink)
    one.add(message(5, beat(2)))
    one.deliver(complete=False)
    one.add(message(6, item("power", True, 1)))
    one.deliver(complete=True)
    assert [delivery.heartbeat for delivery in sink.deliveries] == [None, START + timedelta(seconds=2)]


def test_a_subscription_begins_with_its_first_heartbeat() -> None:
    sink = Collector()
    one = inbox(sink, SubscriptionState(subscription=9, signals=SIGNALS))
    one.add(message(1, item("power", True, -60)))
    one.deliver(complete=True)
    assert sink.deliveries == []
    one.add(message(2, beat(1)))
    one.deliver(complete=True)
    (first,) = sink.deliveries
    assert first.fresh
    assert [seen.signal for seen in first.observations] == ["power", "heartbeat"]
    assert not sink.state.fresh


def test_what_came_before_a_loss_is_delivered_apart() -> None:
    sink = Collector()
    one = inbox(sink)
    one.add(message(5, item("power", True, 1)))
    one.lose()
    one.add(message(7, item("power", False, 9), beat(10)))
    one.deliver(complete=True)
    before, after = sink.deliveries
    assert (before.lost, before.heartbeat) == (frozenset(), None)
    assert after.lost == set(SIGNALS)
    assert sorted(acked(one)) == [5, 7]


def test_an_overflowed_queue_is_a_loss_of_its_signal() -> None:
    sink = Collector()
    one = inbox(sink)
    one.add(message(5, item("spindle.S1.speed", 5.0, 3, OVERFLOW), item("power", True, 3), beat(3)))
    one.deliver(complete=True)
    (delivery,) = sink.deliveries
    assert delivery.lost == {"spindle.S1.speed"}
    assert sink.values("spindle.S1.speed") == [5000]


def test_a_loss_before_the_first_heartbeat_begins_anew() -> None:
    one = inbox(Collector(), SubscriptionState(subscription=9, signals=SIGNALS))
    with pytest.raises(Vanished):
        one.lose()


def test_uncertain_and_bad_values_are_none_and_wrong_types_too() -> None:
    sink = Collector()
    one = inbox(sink)
    codes = (ua.StatusCodes.UncertainLastUsableValue, ua.StatusCodes.BadNotConnected, 0)
    items = [item("spindle.S1.speed", 1.0, second, code) for second, code in enumerate(codes)]
    one.add(message(5, *items, item("spindle.S1.speed", "fast", 5), beat(6)))
    one.deliver(complete=True)
    assert sink.values("spindle.S1.speed") == [None, None, 1000, None]


def test_a_value_without_source_time_gets_the_time_of_its_message() -> None:
    sink = Collector()
    one = inbox(sink)
    without = ua.MonitoredItemNotification(1, ua.DataValue(ua.Variant(True)))
    one.add(message(5, without, beat(1)))
    one.deliver(complete=True)
    assert [seen.source_time for seen in sink.observations if seen.signal == "power"] == [START]


def test_a_lost_acknowledgement_is_made_good_once() -> None:
    one = inbox(Collector())
    one.acknowledge_again()
    assert acked(one) == [1, 2, 3, 4]
    one.acknowledge_stored([2, 4, 5])
    assert acked(one) == []
    again = inbox(Collector())
    again.acknowledge_stored([2, 4, 5])
    assert acked(again) == [2, 4]


def test_numbers_go_on_at_one_after_the_last() -> None:
    sink = Collector()
    one = inbox(sink, replace(BEGUN, last_sequence=2**32 - 1))
    assert one.next == 1
    assert one.is_new(1)
    assert not one.is_new(2**32 - 1)


def test_the_end_that_a_server_says_is_noted() -> None:
    one = inbox(Collector())
    ended = ua.StatusChangeNotification(Status=ua.StatusCode(ua.StatusCodes.BadTimeout))
    one.add(sent(ua.NotificationMessage(5, START, [ended])))
    assert one.closed == "BadTimeout"


FOREIGN = ('{"kind":"mtconnect","signals":[]}', '{"kind":"opcua","later":1,"signals":[]}')


@pytest.mark.parametrize("text", ["", "{}", "no JSON", *FOREIGN])
def test_another_sources_state_is_nothing_to_take_up(text: str) -> None:
    assert SubscriptionState.of_text(text) == SubscriptionState()
    assert SubscriptionState.of_text(BEGUN.to_text()) == BEGUN
