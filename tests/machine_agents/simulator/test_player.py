"""The player loses nothing, whoever is slow, late or dies; real server, real sockets, real security."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from machine_agents.simulator.player import ReplayLoss
from machine_agents.simulator.subscription import OVERFLOW
from machine_agents.simulator.values import ticks
from tests.machine_agents.simulator.bench import BEGIN, Bench, bench, expected, received, recording
from tests.machine_agents.simulator.subscriber import Subscriber, die

SIGNALS = ("spindle.S1.speed", "axis.X.position", "counter.cut", "execution")


@asynccontextmanager
async def running(*work: object) -> AsyncIterator[None]:
    """Run coroutines beside the body, and end them after it; a failure of theirs is not swallowed."""
    tasks = [asyncio.ensure_future(one) for one in work]  # type: ignore[call-overload]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


def assert_all_arrived(one: Bench, subscriber: Subscriber) -> None:
    for signal in SIGNALS:
        assert received(subscriber, signal) == expected(one.observations, signal), signal
    assert not any(got.status & OVERFLOW == OVERFLOW for got in subscriber.got)


def assert_heartbeats_tell_the_truth(subscriber: Subscriber) -> None:
    """Nothing up to a heartbeat's time may arrive after the heartbeat."""
    beat = None
    for got in subscriber.got:
        if got.path == "heartbeat":
            assert beat is None or got.at >= beat
            beat = got.at
        elif beat is not None and got.at <= beat:
            assert got in subscriber.got[: len(subscriber.nodes)], got


def test_everything_arrives_in_order_with_its_own_time(tmp_path: Path) -> None:
    async def go() -> None:
        async with bench(tmp_path, recording(20_000)) as one:
            subscriber = await one.subscriber()
            async with running(subscriber.run()):
                await asyncio.wait_for(one.play(), 60)
            assert_all_arrived(one, subscriber)
            assert_heartbeats_tell_the_truth(subscriber)
            assert one.player.progress.recorded == 20_000

    asyncio.run(go())


def test_a_slow_subscriber_holds_the_player_back(tmp_path: Path) -> None:
    """With queues of 20 and a pause before each acknowledgement nothing may overflow."""

    async def go() -> None:
        async with bench(tmp_path, recording(600)) as one:
            subscriber = await one.subscriber(queue=20)
            assert subscriber.revised_queue == 20
            async with running(subscriber.run(ahead=1, delay=0.02)):
                await asyncio.wait_for(one.play(), 60)
            assert_all_arrived(one, subscriber)

    asyncio.run(go())


def test_a_queue_of_one_is_enough(tmp_path: Path) -> None:
    async def go() -> None:
        async with bench(tmp_path, recording(60)) as one:
            subscriber = await one.subscriber(queue=1)
            async with running(subscriber.run()):
                await asyncio.wait_for(one.play(), 60)
            assert_all_arrived(one, subscriber)

    asyncio.run(go())


def test_the_player_waits_for_a_subscriber_that_comes_late(tmp_path: Path) -> None:
    async def go() -> None:
        async with bench(tmp_path, recording(2_000)) as one, running() as _:
            playing = asyncio.create_task(one.play())
            await asyncio.sleep(0.5)
            assert one.player.progress.phase == "waiting"
            assert one.player.progress.recorded == 0
            subscriber = await one.subscriber()
            async with running(subscriber.run()):
                await asyncio.wait_for(playing, 60)
            assert_all_arrived(one, subscriber)

    asyncio.run(go())


async def receive_some(subscriber: Subscriber, messages: int, acks: Iterable[int] = ()) -> None:
    """Take `messages` messages more and leave the last one unacknowledged, as a process that is killed does."""
    wanted = len(subscriber.seen) + messages
    while len(subscriber.seen) < wanted:
        sequence = await subscriber.publish(acks)
        acks = [sequence] if sequence else []


@pytest.mark.parametrize("deaths", [1, 3])
def test_a_subscriber_that_dies_and_transfers_loses_nothing(tmp_path: Path, deaths: int) -> None:
    """It dies with messages on their way; its successor knows what was committed and has a session of its own."""

    async def go() -> None:
        async with bench(tmp_path, recording(20_000)) as one:
            first = await one.subscriber()
            playing = asyncio.create_task(one.play())
            await receive_some(first, 4)
            current = first
            for death in range(deaths):
                # Publish requests are under way and answers may be, when it dies.
                doomed = asyncio.gather(current.publish([]), current.publish([]), return_exceptions=True)
                await asyncio.sleep(0)
                die(current.client)
                await doomed
                heir = Subscriber(await one.client(), first.nodes, got=current.got, seen=current.seen)
                held = await heir.transfer(first.subscription)
                assert held, "what was not acknowledged must still be there"
                for _ in range(2):  # a second time: republishing must not use a message up
                    for sequence in held:
                        heir.take(await heir.client.uaclient.session.republish(heir.subscription, sequence))
                current = heir
                if death < deaths - 1:
                    await receive_some(current, 3, held)
            async with running(current.run(held)):
                await asyncio.wait_for(playing, 60)
            assert_all_arrived(one, current)

    asyncio.run(go())


def test_a_subscription_outlives_its_session(tmp_path: Path) -> None:
    async def go() -> None:
        async with bench(tmp_path, recording(5_000)) as one:
            one.server.iserver.min_session_timeout_ms = 300
            one.server.iserver.max_session_timeout_ms = 300
            first = await one.subscriber()
            playing = asyncio.create_task(one.play())
            await receive_some(first, 2)
            die(first.client)
            while one.server.iserver._external_sessions:  # noqa: ASYNC110 (the server tells nobody)
                await asyncio.sleep(0.05)
            one.server.iserver.max_session_timeout_ms = 60_000
            heir = Subscriber(await one.client(), first.nodes, got=first.got, seen=first.seen)
            held = await heir.transfer(first.subscription)
            for sequence in held:
                heir.take(await heir.client.uaclient.session.republish(heir.subscription, sequence))
            async with running(heir.run(held)):
                await asyncio.wait_for(playing, 60)
            assert_all_arrived(one, heir)

    asyncio.run(go())


def test_what_a_vanished_subscription_did_not_acknowledge_is_played_again(tmp_path: Path) -> None:
    """A subscriber that starts anew instead of transferring first reads what was in force before the rest."""

    async def go() -> None:
        async with bench(tmp_path, recording(20_000)) as one:
            first = await one.subscriber()
            playing = asyncio.create_task(one.play())
            await receive_some(first, 4)
            die(first.client)
            await asyncio.sleep(0.1)
            second = await one.subscriber()
            async with running(second.run()):
                await asyncio.wait_for(playing, 60)
            assert one.player.progress.rewound > 0
            assert_heartbeats_tell_the_truth(second)
            for signal in SIGNALS:
                wanted = expected(one.observations, signal)
                early, late = received(first, signal), received(second, signal)
                assert late == wanted[len(wanted) - len(late) :], signal
                assert len(early) + len(late) >= len(wanted), f"{signal}: a gap between the two"

    asyncio.run(go())


def test_a_loss_ends_the_replay(tmp_path: Path) -> None:
    """Should a value be dropped all the same, the player must not say that all is well, and the client must see it."""

    async def go() -> None:
        async with bench(tmp_path, recording(20_000)) as one:
            subscriber = await one.subscriber(queue=100)
            playing = asyncio.create_task(one.play())
            await receive_some(subscriber, 3)
            for number in range(101):  # somebody writes behind the player's back while nobody receives
                one.machine.write("counter.cut", -number, ticks(BEGIN))
            async with running(subscriber.run()):
                with pytest.raises(ReplayLoss, match="lost on the way"):
                    await asyncio.wait_for(playing, 60)
                await asyncio.sleep(0.2)
            assert any(got.status & OVERFLOW == OVERFLOW for got in subscriber.got)

    asyncio.run(go())
