"""The agent's two addresses, over a real HTTP server."""

import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from litestar import Litestar
from litestar.datastructures import State

from app import clock, problems
from app.api import agent_schedule, agents, readings
from app.database import Database, Role
from metering import ocmf
from metering.enrol import invite
from metering.rotate_key import revoke_agent
from metering.schedule import parse, verify
from metering.store import MeteringStore
from tests.metering.builders import Box, add_parties, chain_of, enrolled_box, machine, reading, texts

PLATFORM = ocmf.new_key()


@pytest.fixture
def client(database: Database) -> Iterator[httpx.Client]:
    add_parties(database)
    app = Litestar(
        route_handlers=[*agents.route_handlers, *agent_schedule.route_handlers, *readings.route_handlers],
        state=State({"database": database, "platform_key": PLATFORM}),
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


def send(client: httpx.Client, box: Box, body: str | bytes, **headers: str) -> httpx.Response:
    authorization = {"Authorization": f"Bearer {box.enrolled.token}", "Content-Type": "text/plain"}
    return client.post("/api/readings", content=body, headers={**authorization, **headers})


def enrolment(database: Database, **changes: object) -> dict[str, object]:
    with database.transaction(Role.WORKER) as session:
        code = invite(machine(), "SM-1", store=MeteringStore(session), now=clock.now()).code
    pem = ocmf.public_to_pem(ocmf.new_key().public_key())
    return {"code": code, "public_key_pem": pem, "agent": "box", "version": "1", **changes}


def test_enrol_then_send(client: httpx.Client, database: Database) -> None:
    asked = enrolment(database)
    answer = client.post("/api/agents/enrol", json=asked)
    assert answer.status_code == 201
    assert answer.json().keys() == {"agent_id", "meter_serial", "machine_model", "token", "schedule_key_pem"}
    assert answer.json()["schedule_key_pem"] == ocmf.public_to_pem(PLATFORM.public_key())
    assert client.post("/api/agents/enrol", json=asked).json() == answer.json()
    other = {**asked, "public_key_pem": ocmf.public_to_pem(ocmf.new_key().public_key())}
    refused = client.post("/api/agents/enrol", json=other)
    assert (refused.status_code, refused.headers["content-type"]) == (409, "application/problem+json")
    assert refused.json().keys() == {"type", "title", "status", "detail", "what_to_do"}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"code": "guess"}, 404),
        ({"public_key_pem": "no key"}, 400),
        ({"agent": ""}, 400),
        ({"agent": 5}, 400),
        ({"extra": 1}, 400),
        ({"version": "x" * 20_000}, 413),
    ],
)
def test_bad_enrolments(client: httpx.Client, database: Database, changes: dict[str, object], status: int) -> None:
    answer = client.post("/api/agents/enrol", json=enrolment(database, **changes))
    assert answer.status_code == status
    assert answer.json()["detail"]


def test_batches_are_answered_with_receipts(client: httpx.Client, database: Database) -> None:
    box = enrolled_box(database)
    sealed = texts(chain_of(box, [reading(n) for n in range(1, 8)]))
    answer = send(client, box, "\n".join(sealed[:5]))
    assert (answer.status_code, answer.json()) == (
        200,
        {"stored": 5, "duplicate": 0, "refused": [], "high_water": 5},
    )
    again = send(client, box, "\n".join([*sealed[3:6], "OCMF|x", ""])).json()
    assert (again["stored"], again["duplicate"], again["high_water"]) == (1, 2, 6)
    assert [one["pagination"] for one in again["refused"]] == [None]
    forged = send(client, box, sealed[6].replace('"RV":', '"RV":1', 1)).json()
    assert forged["high_water"] == 6
    assert [one["pagination"] for one in forged["refused"]] == [7]
    with database.transaction(Role.WORKER) as session:
        latest = MeteringStore(session).latest(box.agent.meter_id)
    assert latest is not None
    assert latest.reading.registers == reading(6).registers


def test_strangers_and_nonsense_are_told_what_to_do(client: httpx.Client, database: Database) -> None:
    box = enrolled_box(database)
    text = texts(chain_of(box, [reading(1)]))[0]
    cases = [
        send(client, box, text, Authorization="Bearer guess"),
        send(client, box, text, Authorization=""),
        send(client, box, b""),
        send(client, box, b"\xff\xfe"),
        send(client, box, "\n".join(["OCMF|"] * 1001)),
        send(client, box, b"x" * (readings.MAX_BODY + 1)),
    ]
    assert [one.status_code for one in cases] == [401, 401, 400, 400, 413, 413]
    assert all(one.json()["title"] for one in cases)


def poll(client: httpx.Client, token: str, known: str | None = None) -> httpx.Response:
    header = {} if known is None else {"Spindleshare-Schedule": known}
    return client.get("/api/agents/schedule", headers={"Authorization": f"Bearer {token}", **header})


def test_a_receipt_brings_the_schedule_only_to_an_agent_that_knows_an_older_one(
    client: httpx.Client, database: Database
) -> None:
    box = enrolled_box(database, serial="SM-2")
    body = texts(chain_of(box, [reading(1), reading(2)]))
    assert "schedule" not in send(client, box, body[0]).json()
    brought = send(client, box, body[0], **{"Spindleshare-Schedule": "0"}).json()["schedule"]
    sealed = parse(brought)
    verify(sealed, PLATFORM.public_key())
    assert (sealed.schedule.meter, sealed.schedule.number) == ("SM-2", 1)
    for known, has in (("1", False), ("0", True), ("-1", False), ("one", False), ("9" * 12, False), ("9" * 40, False)):
        receipt = send(client, box, body[1], **{"Spindleshare-Schedule": known}).json()
        assert ("schedule" in receipt) is has, known


def test_a_poll_gives_the_schedule_and_its_key_to_an_enrolled_agent_alone(
    client: httpx.Client, database: Database
) -> None:
    box = enrolled_box(database, serial="SM-2")
    answer = poll(client, box.enrolled.token).json()
    assert answer["schedule_key_pem"] == ocmf.public_to_pem(PLATFORM.public_key())
    assert parse(answer["schedule"]).schedule.number == answer["number"] == 1
    assert poll(client, box.enrolled.token, "1").json()["schedule"] is None
    assert poll(client, "guess").status_code == 401
    with database.transaction(Role.WORKER) as session:
        revoke_agent("SM-2", "stolen", store=MeteringStore(session), now=clock.now())
    refused = poll(client, box.enrolled.token)
    assert (refused.status_code, "what_to_do" in refused.json()) == (403, True)
    body = texts(chain_of(box, [reading(1)]))
    assert "schedule" not in send(client, box, body[0], **{"Spindleshare-Schedule": "0"}).json()
