"""The courier against a real HTTP server: nothing lost, nothing doubled, whatever happens to request or answer."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from machine_agents import credentials
from machine_agents.config import ServiceConfig
from machine_agents.courier import Courier, Refused
from machine_agents.spool import Spool
from machine_agents.status import Status
from metering import ocmf
from tests.machine_agents.fake_service import CODE, TOKEN, FakeService, fake_service
from tests.machine_agents.test_spool import KEY, sealed


@pytest.fixture
def service() -> Iterator[FakeService]:
    with fake_service() as one:
        yield one


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "data")
    made.commit({}, sealed(made, 10))
    return made


class Patient:
    """A courier with batches of 4 whose pauses are not waited for, and a record of them."""

    def __init__(self, url: str, folder: Path, code: str = CODE) -> None:
        (folder / "code").write_text(code)
        self.pauses: list[float] = []
        self.status = Status(None, None, clock=lambda: datetime.now(UTC), monotonic=time.monotonic)
        config = ServiceConfig(url, folder / "code", batch=4, retry_max_seconds=8)
        self.courier = Courier(config, folder, KEY, "test", self.status, pause=self._pause)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if seconds == 0.25 or len(self.pauses) > 50:  # nothing left to send
            raise asyncio.CancelledError
        await asyncio.sleep(0)


async def _send_all(url: str, spool: Spool, folder: Path) -> Patient:
    patient = Patient(url, folder)
    with contextlib.suppress(asyncio.CancelledError):
        await patient.courier.run(spool, TOKEN)
    await patient.courier.close()
    return patient


def send_all(url: str, spool: Spool, folder: Path) -> Patient:
    """Run until nothing is left to send."""
    return asyncio.run(_send_all(url, spool, folder))


def test_everything_arrives_in_order(service: FakeService, spool: Spool, tmp_path: Path) -> None:
    send_all(service.url, spool, tmp_path)
    assert service.batches == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]
    assert list(service.stored.values()) == list(spool.texts())
    assert spool.counts().sent == 10


@pytest.mark.parametrize("fault", ["drop", "lost answer", 500, 503, 429])
def test_a_failed_batch_is_sent_again_unchanged(
    service: FakeService, spool: Spool, tmp_path: Path, fault: int | str
) -> None:
    service.faults = [fault, fault]
    patient = send_all(service.url, spool, tmp_path)
    assert list(service.stored) == list(range(1, 11))
    assert all(batch in ([1, 2, 3, 4], [5, 6, 7, 8], [9, 10]) for batch in service.batches)
    assert len(patient.pauses) == 3
    assert patient.pauses[1] > patient.pauses[0] * 1.2


def test_a_refused_record_is_kept_and_shown_and_does_not_block_the_rest(
    service: FakeService, spool: Spool, tmp_path: Path
) -> None:
    service.refuse = {3: "the signature does not match"}
    patient = send_all(service.url, spool, tmp_path)
    assert sorted(service.stored) == [1, 2, 4, 5, 6, 7, 8, 9, 10]
    assert spool.refused() == {3: "the signature does not match"}
    assert patient.status.facts["service"]["refused"] == {3: "the signature does not match"}


def test_a_refused_record_that_was_settled_is_counted_no_more(
    service: FakeService, spool: Spool, tmp_path: Path
) -> None:
    """It names those that it knows of; what the service says is settled is no finding any more, and nothing else is."""
    service.refuse = {3: "the signature does not match", 6: "register fell"}
    send_all(service.url, spool, tmp_path)
    assert service.named == [None, "3", "3,6"]
    service.settled = {3}
    spool.commit({}, sealed(spool))
    patient = send_all(service.url, spool, tmp_path)
    assert spool.refused() == {6: "register fell"}
    assert spool.counts().refused == 1
    assert patient.status.facts["service"]["refused"] == {6: "register fell"}
    service.settled = {6}
    spool.commit({}, sealed(spool))
    patient = send_all(service.url, spool, tmp_path)
    assert spool.counts().refused == 0
    assert "refused" not in patient.status.facts["service"]
    assert [text for text in spool.texts() if ocmf.parse(text).record.pagination in (3, 6)]


def test_a_high_water_below_a_refused_record_is_no_loss(service: FakeService, spool: Spool, tmp_path: Path) -> None:
    """A service may count only what it stored: then its mark stays before the refused record."""
    service.refuse, service.marks_refused = {3: "no"}, False
    send_all(service.url, spool, tmp_path)
    assert service.high_water == 2
    assert spool.counts().sent == 10
    assert service.batches == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]


def test_a_service_restored_from_a_backup_gets_what_it_lost(service: FakeService, spool: Spool, tmp_path: Path) -> None:
    send_all(service.url, spool, tmp_path)
    for number in range(5, 11):
        del service.stored[number]
    spool.commit({}, sealed(spool))
    send_all(service.url, spool, tmp_path)
    assert sorted(service.stored) == list(range(1, 12))


def test_a_batch_that_is_too_large_is_halved(service: FakeService, spool: Spool, tmp_path: Path) -> None:
    service.most = 1
    send_all(service.url, spool, tmp_path)
    assert sorted(service.stored) == list(range(1, 11))


def test_a_token_that_is_not_known_is_shown_and_nothing_is_lost(
    service: FakeService, spool: Spool, tmp_path: Path
) -> None:
    patient = Patient(service.url, tmp_path)
    with pytest.raises(Refused, match="unknown token"):
        asyncio.run(patient.courier.send_batch(spool, "wrong"))
    assert spool.counts().sent == 0


def test_no_service_at_all_is_waited_for(spool: Spool, tmp_path: Path) -> None:
    patient = send_all("http://127.0.0.1:9", spool, tmp_path)
    assert len(patient.pauses) > 50
    assert max(patient.pauses) <= 8 * 1.2
    assert patient.status.facts["service"]["state"] == "not reached"
    assert spool.counts().sent == 0


def test_enrolment_is_kept_privately_and_the_same_when_repeated(service: FakeService, tmp_path: Path) -> None:
    async def enrol() -> credentials.Enrolment:
        patient = Patient(service.url, tmp_path)
        return await patient.courier.enrol()

    service.faults = [503, "drop", "lost answer"]
    first = asyncio.run(enrol())
    assert first == asyncio.run(enrol()) == credentials.enrolment(tmp_path)
    assert (tmp_path / "enrolment.json").stat().st_mode & 0o777 == 0o600


def test_a_wrong_code_says_what_to_do(service: FakeService, tmp_path: Path) -> None:
    patient = Patient(service.url, tmp_path, code="wrong")
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(patient.courier.enrol())
    assert "ask the operator for a new code" in patient.status.facts["service"]["why"]


def test_an_answer_that_is_no_receipt_is_a_failure_to_retry(service: FakeService, spool: Spool, tmp_path: Path) -> None:
    patient = Patient(service.url, tmp_path)
    service.faults = [204]
    with pytest.raises((httpx.HTTPError, httpx.DecodingError)):
        asyncio.run(patient.courier.send_batch(spool, TOKEN))
    assert spool.counts().sent == 0


def test_an_answer_is_waited_for_as_long_as_is_configured(spool: Spool, tmp_path: Path) -> None:
    """A service that takes the request and never answers: the batch stays, and the next attempt is due."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        (tmp_path / "code").write_text(CODE)
        config = ServiceConfig(f"http://127.0.0.1:{mute.getsockname()[1]}", tmp_path / "code", request_seconds=1)
        status = Status(None, None, clock=lambda: datetime.now(UTC), monotonic=time.monotonic)
        courier = Courier(config, tmp_path, KEY, "test", status)

        async def ask() -> None:
            async with asyncio.timeout(20):  # the default is longer
                with pytest.raises(httpx.ReadTimeout):
                    await courier.send_batch(spool, TOKEN)
            await courier.close()

        asyncio.run(ask())
    assert spool.counts().sent == 0
