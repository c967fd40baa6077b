"""Keys over an agent's life: each record by the key that had to sign it, whoever tries what."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.database import Database, Role
from metering import ocmf
from metering.audit import audit
from metering.enrol import AlreadyEnrolled, Enrolled, identify, invite, redeem
from metering.ingest import Receipt, ingest
from metering.keyring import BadKeyring, Keyring, KeySpan, handover, prove
from metering.machine import Agent
from metering.ocmf import PrivateKey, Sealed
from metering.rotate_key import RotationRefused, revoke_agent, rotate_key
from metering.store import MeteringStore
from tests.metering.builders import NOW, Box, add_parties, chain_of, enrolled_box, machine, reading

NEW, OTHER = ocmf.new_key(), ocmf.new_key()


@pytest.fixture(autouse=True)
def _parties(database: Database) -> None:
    add_parties(database)


class Sealer:
    """An enrolled box that seals as it goes, with whichever key it is told to."""

    def __init__(self, database: Database) -> None:
        box = enrolled_box(database)
        self.box, self.key, self.enrolled = box, box.key, box.enrolled
        self.last: Sealed | None = None
        self.before: Sealed | None = None

    def seal(self, key: PrivateKey | None = None) -> str:
        number = self.last.record.pagination + 1 if self.last else 1
        box = Box(key or self.key, self.enrolled, self.box.agent)
        self.before, (self.last,) = self.last, chain_of(box, [reading(number)], after=self.last)
        return self.last.text

    def take_back(self) -> None:
        """As if the last record had not been sealed."""
        self.last = self.before


def within(database: Database, work: Callable[[MeteringStore], Any]) -> Any:
    with database.transaction(Role.WORKER) as session:
        return work(MeteringStore(session))


def known(database: Database, box: Sealer) -> Agent:
    agent = within(database, lambda store: identify(box.enrolled.token, store=store))
    assert isinstance(agent, Agent)
    return agent


def send(database: Database, box: Sealer, texts: list[str]) -> Receipt:
    agent = known(database, box)
    receipt = within(database, lambda store: ingest(texts, agent=agent, store=store, now=NOW))
    assert isinstance(receipt, Receipt)
    return receipt


def rotate(
    database: Database, box: Sealer, first: int, *, new: PrivateKey = NEW, old: PrivateKey | None = None, lie: int = 0
) -> None:
    agent = known(database, box)
    said = handover(str(agent.id), agent.meter_serial, first + lie, new.public_key())
    pem = ocmf.public_to_pem(new.public_key())
    proofs = {"old_proof": prove(old or box.key, said), "new_proof": prove(new, said)}
    within(database, lambda store: rotate_key(agent, pem, first, **proofs, store=store, now=NOW))


def test_records_before_and_after_a_rotation_are_each_verified_by_their_own_key(database: Database) -> None:
    box = Sealer(database)
    before = [box.seal() for _ in range(3)]
    assert send(database, box, before[:2]).stored == 2
    rotate(database, box, 4)
    after = [box.seal(key=NEW) for _ in range(2)]
    assert send(database, box, [before[2], *after]).high_water == 5
    texts = within(database, lambda store: store.texts(known(database, box).meter_id, 1, 100))
    keyring = within(database, lambda store: store.keyring(known(database, box)))
    assert audit(texts, keys=keyring).faults == []
    assert audit(texts, keys=Keyring.single(box.key.public_key())).faults != []


def test_the_old_key_signs_nothing_after_the_handover_and_the_new_one_nothing_before(database: Database) -> None:
    box = Sealer(database)
    rotate(database, box, 2)
    wrong = box.seal(key=NEW)
    assert "signature" in send(database, box, [wrong]).refused[0].reason
    box.take_back()
    assert send(database, box, [box.seal()]).stored == 1
    late = box.seal()
    assert "signature" in send(database, box, [late]).refused[0].reason


def test_the_same_rotation_again_changes_nothing(database: Database) -> None:
    box = Sealer(database)
    for _ in range(2):
        rotate(database, box, 1 + 1)
    assert len(within(database, lambda store: store.keys_of(known(database, box).id))) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"old": OTHER}, "valid now"),
        ({"lie": 1}, "valid now"),
        ({"first": 1}, "there already"),
    ],
)
def test_a_handover_that_is_not_proven_is_refused(database: Database, change: dict[str, Any], message: str) -> None:
    box = Sealer(database)
    send(database, box, [box.seal()])
    with pytest.raises(RotationRefused, match=message):
        rotate(database, box, **({"first": 2} | change))
    assert len(within(database, lambda store: store.keys_of(known(database, box).id))) == 1


def test_a_revoked_agents_records_are_kept_aside_whatever_time_they_say(database: Database) -> None:
    box = Sealer(database)
    send(database, box, [box.seal()])
    within(database, lambda store: revoke_agent(box.enrolled.meter_serial, "stolen", store=store, now=NOW))
    texts = [box.seal() for _ in range(2)]
    receipt = send(database, box, texts)
    assert (receipt.stored, receipt.high_water, len(receipt.refused)) == (0, 1, 2)
    kept = within(database, lambda store: store.refused(known(database, box).meter_id))
    assert [one.text for one in kept] == texts
    assert "revoked on" in kept[0].reason
    assert "stolen" in kept[0].reason
    with pytest.raises(RotationRefused, match="revoked"):
        rotate(database, box, 9)


def enrol(database: Database, code: str, key: PrivateKey) -> Enrolled:
    pem = ocmf.public_to_pem(key.public_key())
    found = within(database, lambda store: redeem(code, pem, name="anew", version="2", store=store, now=NOW))
    assert isinstance(found, Enrolled)
    return found


def code_for(database: Database, serial: str, *, replaces: bool) -> str:
    place = machine("maker", f"Mill {serial}")
    invitation = within(database, lambda store: invite(place, serial, store=store, now=NOW, replaces=replaces))
    return str(invitation.code)


def test_a_box_made_anew_goes_on_with_the_chain_when_its_code_replaces(database: Database) -> None:
    box = Sealer(database)
    send(database, box, [box.seal() for _ in range(3)])
    serial = box.enrolled.meter_serial
    with pytest.raises(AlreadyEnrolled):
        enrol(database, code_for(database, serial, replaces=False), NEW)
    within(database, lambda store: revoke_agent(serial, "box lost", store=store, now=NOW))
    code = code_for(database, serial, replaces=True)
    anew = enrol(database, code, NEW)
    assert enrol(database, code, NEW) == anew
    with pytest.raises(AlreadyEnrolled):
        enrol(database, code, OTHER)
    assert (anew.agent_id, anew.meter_serial) == (box.enrolled.agent_id, serial)
    assert within(database, lambda store: identify(box.enrolled.token, store=store)) is None
    box.enrolled = anew
    assert send(database, box, [box.seal(key=NEW)]).high_water == 4
    assert "signature" in send(database, box, [box.seal()]).refused[0].reason


def test_the_first_key_cannot_come_back_by_its_old_code(database: Database) -> None:
    code = code_for(database, "SM-9", replaces=False)
    enrol(database, code, NEW)
    enrol(database, code_for(database, "SM-9", replaces=True), OTHER)
    with pytest.raises(AlreadyEnrolled, match="another key now"):
        enrol(database, code, NEW)


def test_a_code_that_replaces_may_also_be_the_first(database: Database) -> None:
    assert enrol(database, code_for(database, "SM-8", replaces=True), NEW).meter_serial == "SM-8"


@given(st.lists(st.integers(1, 50), min_size=1, max_size=5))
def test_a_keyring_tells_every_record_its_one_key(firsts: list[int]) -> None:
    spans = tuple(KeySpan(first, ocmf.new_key().public_key()) for first in firsts)
    if firsts[0] != 1 or sorted(set(firsts)) != firsts:
        with pytest.raises(BadKeyring):
            Keyring(spans)
        return
    ring = Keyring(spans)
    for number in range(1, 60):
        assert ring.of(number) is max((one for one in spans if one.first <= number), key=lambda one: one.first).key


def test_time_does_not_choose_the_key() -> None:
    ring = Keyring((KeySpan(1, NEW.public_key()), KeySpan(5, OTHER.public_key())))
    assert ring.of(4) is not ring.of(5)
    assert ring.of(5) is ring.of(500)


def test_an_upload_that_waited_for_a_new_key_is_verified_by_it(database: Database) -> None:
    box = Sealer(database)
    send(database, box, [box.seal()])
    before = known(database, box)
    rotate(database, box, 2)
    late = box.seal()
    receipt = within(database, lambda store: ingest([late], agent=before, store=store, now=NOW))
    assert (receipt.stored, receipt.high_water) == (0, 1)
    assert "signature" in receipt.refused[0].reason
    box.take_back()
    new = box.seal(key=NEW)
    assert within(database, lambda store: ingest([new], agent=before, store=store, now=NOW)).stored == 1


def test_an_upload_that_waited_for_a_revocation_is_kept_aside(database: Database) -> None:
    box = Sealer(database)
    before = known(database, box)
    within(database, lambda store: revoke_agent(box.enrolled.meter_serial, "stolen", store=store, now=NOW))
    receipt = within(database, lambda store: ingest([box.seal()], agent=before, store=store, now=NOW))
    assert (receipt.stored, receipt.high_water) == (0, 0)
    assert "revoked on" in receipt.refused[0].reason


@pytest.mark.parametrize("stored", [0, 2])
def test_a_box_made_anew_signs_from_the_stored_end_on_though_the_lost_one_had_announced_a_later_key(
    database: Database, stored: int
) -> None:
    box = Sealer(database)
    send(database, box, [box.seal() for _ in range(stored)] or ["OCMF|"])
    rotate(database, box, stored + 5)
    box.enrolled = enrol(database, code_for(database, box.enrolled.meter_serial, replaces=True), OTHER)
    texts = [box.seal(key=OTHER) for _ in range(7)]
    receipt = send(database, box, texts)
    assert (receipt.stored, receipt.high_water, receipt.refused) == (7, stored + 7, ())


def test_an_agent_without_any_record_may_change_its_key(database: Database) -> None:
    box = Sealer(database)
    rotate(database, box, 1)
    assert send(database, box, [box.seal(key=NEW)]).stored == 1
    assert len(within(database, lambda store: store.keys_of(known(database, box).id))) == 1
