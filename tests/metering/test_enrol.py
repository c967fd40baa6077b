"""Enrolment: a code works once, for one key, for a while."""

from datetime import timedelta

import pytest

from app.database import Database, Role
from metering import ocmf
from metering.enrol import (
    AlreadyEnrolled,
    CodeExpired,
    Enrolled,
    Invitation,
    MeterTaken,
    UnknownCode,
    identify,
    invite,
    redeem,
)
from metering.store import MeteringStore
from tests.metering.builders import MAKER, NOW, add_parties, enrolled_box, machine

ONE, OTHER = (ocmf.public_to_pem(ocmf.new_key().public_key()) for _ in range(2))


@pytest.fixture(autouse=True)
def _parties(database: Database) -> None:
    add_parties(database)


def invited(database: Database, serial: str = "SM-1") -> Invitation:
    with database.transaction(Role.WORKER) as session:
        return invite(machine(), serial, store=MeteringStore(session), now=NOW)


def redeemed(database: Database, code: str, pem: str, *, later: timedelta = timedelta(0)) -> Enrolled:
    with database.transaction(Role.WORKER) as session:
        return redeem(code, pem, name="box", version="1", store=MeteringStore(session), now=NOW + later)


def test_the_first_key_is_pinned_and_its_token_identifies_it(database: Database) -> None:
    enrolled = redeemed(database, invited(database).code, ONE)
    assert (enrolled.meter_serial, enrolled.machine_model) == ("SM-1", "MT-1")
    with database.transaction(Role.WORKER) as session:
        agent = identify(enrolled.token, store=MeteringStore(session))
        assert identify("guess", store=MeteringStore(session)) is None
    assert agent is not None
    assert (agent.id, agent.public_key_pem, agent.meter_serial) == (enrolled.agent_id, ONE, "SM-1")


def test_a_repeated_redemption_gives_the_same_answer(database: Database) -> None:
    code = invited(database).code
    assert redeemed(database, code, ONE) == redeemed(database, code, ONE)


def test_another_key_is_refused(database: Database) -> None:
    code = invited(database).code
    redeemed(database, code, ONE)
    with pytest.raises(AlreadyEnrolled):
        redeemed(database, code, OTHER)
    with pytest.raises(AlreadyEnrolled):
        redeemed(database, invited(database).code, OTHER)


def test_a_code_expires_and_a_guess_is_unknown(database: Database) -> None:
    code = invited(database).code
    with pytest.raises(CodeExpired):
        redeemed(database, code, ONE, later=timedelta(days=8))
    with pytest.raises(UnknownCode):
        redeemed(database, code + "x", ONE)


def test_a_bad_key_is_refused(database: Database) -> None:
    with pytest.raises(ocmf.BadKey):
        redeemed(database, invited(database).code, "-----BEGIN NOTHING-----")


def test_secrets_are_stored_as_hashes_only(database: Database) -> None:
    code = invited(database).code
    token = redeemed(database, code, ONE).token
    with database.transaction(Role.WORKER) as session:
        connection = session.connection()
        for table in ("agent", "enrolment_code"):
            rows = str(connection.exec_driver_sql(f"SELECT * FROM {table}").all())  # noqa: S608
            assert code not in rows
            assert token not in rows


def test_a_meter_belongs_to_one_machine(database: Database) -> None:
    invited(database)
    with database.transaction(Role.WORKER) as session, pytest.raises(MeterTaken):
        invite(machine(name="Mill 2"), "SM-1", store=MeteringStore(session), now=NOW)


def test_a_maker_registers_its_own_machines_only(database: Database) -> None:
    with database.transaction(Role.APP, party=MAKER) as session:
        assert invite(machine(), "SM-1", store=MeteringStore(session), now=NOW).meter.owner_id == MAKER
    with pytest.raises(Exception, match="row-level security"), database.transaction(Role.APP, party=MAKER) as session:
        invite(machine("other"), "SM-2", store=MeteringStore(session), now=NOW)


def test_what_is_registered_is_listed(database: Database) -> None:
    box = enrolled_box(database, serial="SM-9")
    with database.transaction(Role.APP, party=MAKER) as session:
        store = MeteringStore(session)
        assert [one.name for one in store.machines()] == ["Mill SM-9"]
        assert [one.id for one in store.meters(store.machines()[0].id)] == [box.agent.meter_id]
        assert store.meter_by_serial("SM-9").id == box.agent.meter_id
