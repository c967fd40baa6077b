"""Segments over a real HTTP server into Parquet and the manifest: once each, whatever is repeated or killed."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import uvicorn
from litestar import Litestar
from litestar.datastructures import State

from app import problems
from app.api import telemetry
from app.database import Database, Role
from app.settings import Settings
from machine_agents.config import ServiceConfig
from machine_agents.segment_files import SegmentFiles
from machine_agents.status import Status
from machine_agents.telemetry_courier import TelemetryCourier
from metering.telemetry import parquet, shelf
from metering.telemetry.segment import MAX_COMPRESSED, Segment
from metering.telemetry.shelf import Shelf
from metering.telemetry.store import Completeness, TelemetryStore
from metering.telemetry.stretch import Stored
from metering.telemetry.tend import tend
from tests.metering.builders import MAKER, NOW, OTHER_MAKER, Box, add_parties, enrolled_box
from tests.metering.telemetry.builders import START, agent, packed, text_of, working

KEEP = timedelta(days=400)
DAY = "2026-03-02"


@pytest.fixture
def box(database: Database) -> Box:
    add_parties(database)
    return enrolled_box(database)


@pytest.fixture
def client(database: Database, tmp_path: Path) -> Iterator[httpx.Client]:
    app = Litestar(
        route_handlers=telemetry.route_handlers,
        state=State({"database": database, "settings": Settings(data_folder=tmp_path / "service")}),
        exception_handlers=problems.exception_handlers(),
    )
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}") as opened:
        yield opened
    server.should_exit = True
    thread.join()


@pytest.fixture
def place(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "service" / "telemetry")


def send(client: httpx.Client, box: Box, body: bytes, **headers: str) -> httpx.Response:
    return client.post(
        "/api/telemetry", content=body, headers={"Authorization": f"Bearer {box.enrolled.token}", **headers}
    )


def segments(count: int, *, seconds: int = 60) -> list[Segment]:
    one = agent()
    return [one.segment(working(seconds=seconds, start=seconds * number)) for number in range(count)]


def machine_of(database: Database, box: Box) -> UUID:
    with database.transaction(Role.WORKER) as session:
        return TelemetryStore(session).machine_of(box.agent.meter_id)


def rows(place: Shelf, machine: UUID, *days: str) -> list[tuple[int, int]]:
    """(segment, row) of every row that a reader finds, in the files' order."""
    files = [one.path for day in days or place.days(machine) for one in place.files(machine, day)]
    table = parquet.read(files)
    return list(zip(table.column("segment").to_pylist(), table.column("row").to_pylist(), strict=True))


def completeness(database: Database, box: Box) -> Completeness:
    with database.transaction(Role.APP, party=MAKER) as session:
        return TelemetryStore(session).completeness(box.agent.meter_id)


def test_a_segment_is_stored_once(client: httpx.Client, database: Database, box: Box, place: Shelf) -> None:
    one, two = segments(2)
    answers = [send(client, box, packed(each)) for each in (one, two, one)]
    assert [answer.json()["state"] for answer in answers] == ["stored", "stored", "duplicate"]
    found = rows(place, machine_of(database, box))
    assert len(found) == len(set(found))
    assert sum(segment == 1 and row >= 1 for segment, row in found) == one.next_row - 1
    known = completeness(database, box)
    assert (known.stored, known.newest, known.missing, known.lost_rows, known.refused) == (2, 2, 0, 0, 0)
    with database.transaction(Role.WORKER) as session:
        assert TelemetryStore(session).segments(box.agent.meter_id)[1].next_row == Stored.of(two).next_row


def test_another_content_under_a_number_is_refused_and_kept_aside(
    client: httpx.Client, database: Database, box: Box, tmp_path: Path
) -> None:
    (one,) = segments(1)
    assert send(client, box, packed(one)).status_code == 200
    other = packed(agent().segment(working(seconds=30)))
    assert [send(client, box, other).status_code for _ in range(2)] == [409, 409]
    kept = list((tmp_path / "service" / "telemetry" / "aside").rglob("*.gz"))
    assert [path.read_bytes() for path in kept] == [other]
    assert completeness(database, box).refused == 1
    assert send(client, box, packed(one)).json()["state"] == "duplicate"


def test_strangers_nonsense_and_damage_are_told(client: httpx.Client, box: Box) -> None:
    (one,) = segments(1)
    good = packed(one)
    foreign = packed(agent().segment([]))
    cases = [
        send(client, box, good, Authorization="Bearer guess"),
        send(client, box, good, Authorization=""),
        send(client, box, b"nonsense"),
        send(client, box, text_of(one)),
        send(client, box, b"x" * (MAX_COMPRESSED + 1)),
        send(client, box, good, **{"Content-Digest": "sha-256=:AAAA:"}),
        send(client, box, foreign),
    ]
    assert [case.status_code for case in cases] == [401, 401, 422, 422, 413, 400, 200]
    assert all(case.json()["title"] for case in cases[:-1])


def test_missing_segments_are_known_and_only_the_owner_sees_them(
    client: httpx.Client, database: Database, box: Box
) -> None:
    one, _, three, *_ = segments(4)
    for each in (three, one):
        assert send(client, box, packed(each)).status_code == 200
    known = completeness(database, box)
    assert (known.stored, known.newest, known.missing) == (2, 3, 1)
    with database.transaction(Role.APP, party=OTHER_MAKER) as session:
        assert TelemetryStore(session).completeness(box.agent.meter_id).stored == 0


def test_a_segment_over_midnight_is_split_by_day(
    client: httpx.Client, database: Database, box: Box, place: Shelf
) -> None:
    (long,) = segments(1, seconds=20 * 3600)
    assert send(client, box, packed(long)).json()["state"] == "stored"
    machine = machine_of(database, box)
    assert place.days(machine) == [DAY, "2026-03-03"]
    late = parquet.read(one.path for one in place.files(machine, "2026-03-03"))
    assert min(late.column("at_ms").to_pylist()) == round((START.timestamp() + 16 * 3600) * 1000)
    assert len(rows(place, machine)) == long.next_row - 1


def tended(database: Database, place: Shelf, *, keep: timedelta = KEEP) -> int:
    with database.transaction(Role.WORKER) as session:
        done = tend(place, store=TelemetryStore(session), keep=keep, now=NOW)
        return done.joined + done.days


def test_small_files_are_joined_and_a_kill_in_the_middle_shows_every_row_once(
    client: httpx.Client, database: Database, box: Box, place: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in [one for one in segments(8) if one.header.number != 5]:
        send(client, box, packed(each))
    machine = machine_of(database, box)
    before = sorted(rows(place, machine))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shelf.parquet, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            tended(database, place)
    assert sorted(rows(place, machine)) == before
    for _ in range(2):  # the second deletes what the first replaced
        tended(database, place)
        assert sorted(rows(place, machine)) == before
    assert [(one.first, one.last) for one in place.files(machine, DAY)] == [(1, 4), (6, 8)]
    folder = place.files(machine, DAY)[0].path.parent
    assert len(list(folder.iterdir())) == 2
    send(client, box, packed(segments(5)[4]))
    tended(database, place)
    assert [(one.first, one.last) for one in place.files(machine, DAY)] == [(1, 8)]
    assert len(set(rows(place, machine))) == len(rows(place, machine)) > len(before)


def test_what_is_too_old_is_deleted_and_said(client: httpx.Client, database: Database, box: Box, place: Shelf) -> None:
    (one,) = segments(1)
    send(client, box, packed(one))
    assert tended(database, place, keep=timedelta(days=5)) == 1
    assert list(place.partitions()) == []
    with database.transaction(Role.WORKER) as session:
        assert TelemetryStore(session).segments(box.agent.meter_id) == []
    assert send(client, box, packed(one)).json()["state"] == "duplicate"


async def sent(files: SegmentFiles, client: httpx.Client, box: Box, status: Status) -> list[bool]:
    courier = TelemetryCourier(ServiceConfig(str(client.base_url)), files, box.enrolled.token, status)
    return [await courier.send_one() for _ in range(4)]


def test_the_agents_courier_brings_segments_and_forgets_them(
    client: httpx.Client, database: Database, box: Box, tmp_path: Path
) -> None:
    status = Status(None, None, clock=lambda: NOW, monotonic=lambda: 0.0)
    files = SegmentFiles(tmp_path / "agent", budget=1 << 30)
    one, two = segments(2)
    other = agent().segment(working(seconds=30))
    send(client, box, packed(two))
    for number, content in ((1, one), (2, other)):
        with files.create(number) as stream:
            stream.write(text_of(content).replace(b'"number":1,', b'"number":%d,' % number, 1))
        files.closed(number)
    files.pack()
    assert asyncio.run(sent(files, client, box, status)) == [True, True, False, False]
    waiting = files.waiting()
    assert (waiting.segments, waiting.refused) == (0, 1)
    known = completeness(database, box)
    assert (known.stored, known.missing, known.refused) == (2, 0, 1)
