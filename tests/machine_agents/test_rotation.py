"""The agent's side of a new key: switched in one step, announced before it is used, killed at any moment."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from machine_agents import rotation as module
from machine_agents.credentials import Enrolment, save_enrolment, signing_key
from machine_agents.rotation import Rotation, RotationPending, announced, begin_rotation, finish_switch, pending
from machine_agents.spool import Spool
from metering import ocmf
from metering.keyring import handover, is_proven
from tests.machine_agents.fake_service import TOKEN, fake_service
from tests.machine_agents.test_courier import Patient
from tests.machine_agents.test_spool import sealed

IDENTITY = Enrolment("agent-1", "M-1", "Mill", TOKEN)


def folder_with_records(path: Path) -> Path:
    save_enrolment(path, IDENTITY)
    signing_key(path)
    with closing(Spool(path)) as spool:
        spool.commit({}, sealed(spool, 3))
    return path


def test_both_keys_sign_the_handover_to_the_next_record(tmp_path: Path) -> None:
    folder = folder_with_records(tmp_path / "data")
    old = signing_key(folder)
    with closing(Spool(folder)) as spool:
        rotation = begin_rotation(folder, IDENTITY, spool)
    new = signing_key(folder)
    said = handover("agent-1", "M-1", 4, new.public_key())
    assert (rotation.first_record, rotation.public_key_pem) == (4, ocmf.public_to_pem(new.public_key()))
    assert is_proven(rotation.old_proof, said, old.public_key())
    assert is_proven(rotation.new_proof, said, new.public_key())
    assert pending(folder) == rotation


def test_a_second_new_key_waits_until_the_first_is_taken(tmp_path: Path) -> None:
    folder = folder_with_records(tmp_path / "data")
    with closing(Spool(folder)) as spool:
        begin_rotation(folder, IDENTITY, spool)
        with pytest.raises(RotationPending):
            begin_rotation(folder, IDENTITY, spool)
        announced(folder)
        begin_rotation(folder, IDENTITY, spool)


@pytest.mark.parametrize("kill_at", range(4))
def test_a_kill_at_any_step_leaves_one_key_and_the_right_announcement(
    kill_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_with_records(tmp_path / "data")
    old = ocmf.private_to_pem(signing_key(folder))
    steps = 0

    def counted(work: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any) -> Any:
            nonlocal steps
            if steps == kill_at:
                raise KeyboardInterrupt
            steps += 1
            return work(*arguments)

        return step

    monkeypatch.setattr(module, "write_secret", counted(module.write_secret))
    monkeypatch.setattr(module, "finish_switch", counted(module.finish_switch))
    with closing(Spool(folder)) as spool, pytest.raises(KeyboardInterrupt):
        begin_rotation(folder, IDENTITY, spool)
    monkeypatch.undo()
    finish_switch(folder)
    now, told = signing_key(folder), pending(folder)
    if told is None:
        assert ocmf.private_to_pem(now) == old
    else:
        assert told.public_key_pem == ocmf.public_to_pem(now.public_key())
    assert not (folder / "agent-key.next.pem").exists()


def test_the_service_is_told_before_any_record_is_sent(tmp_path: Path) -> None:
    folder = folder_with_records(tmp_path)
    with fake_service() as service, closing(Spool(folder)) as spool:
        rotation = begin_rotation(folder, IDENTITY, spool)
        service.faults = [503]
        asyncio.run(send_all(service.url, spool, folder))
        assert service.told_keys == [rotation.first_record]
        assert service.order[0] == "key"
        assert pending(folder) is None
        assert list(service.stored) == [1, 2, 3]


async def send_all(url: str, spool: Spool, folder: Path) -> None:
    patient = Patient(url, folder)
    with pytest.raises(asyncio.CancelledError):
        await patient.courier.run(spool, TOKEN)
    await patient.courier.close()


def test_a_key_file_without_its_announcement_is_no_switch(tmp_path: Path) -> None:
    folder = folder_with_records(tmp_path / "data")
    old = ocmf.private_to_pem(signing_key(folder))
    (folder / "agent-key.next.pem").write_text(ocmf.private_to_pem(ocmf.new_key()))
    finish_switch(folder)
    assert ocmf.private_to_pem(signing_key(folder)) == old
    assert isinstance(pending(folder), Rotation | None)
