from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from app import migrations
from app.database import Database, PartyMissing, Role, engine
from metering.parties.party import InvalidParty, Organisation, UserAccount, UserRole, organisation_id, user_id
from metering.parties.password import hash_password, matches
from metering.parties.row_security import protect
from metering.parties.store import PartyStore, UnknownParty
from tests.conftest import EmptyDatabase

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MAKER = Organisation(id=organisation_id("maker"), name="Maker GmbH", country="DE")
FIRST = Organisation(id=organisation_id("first"), name="First SME", country="CN", zone="Asia/Shanghai")
SECOND = Organisation(id=organisation_id("second"), name="Second SME", country="FR")
USER = UserAccount(
    id=user_id("Ann@maker.example"),
    organisation_id=MAKER.id,
    email="ann@maker.example",
    name="Ann",
    role=UserRole.MAKER,
    password_hash=hash_password("wood-tape-river"),
)


@pytest.fixture
def parties(database: Database) -> Database:
    with database.transaction(Role.WORKER) as session:
        store = PartyStore(session)
        for organisation in (MAKER, FIRST, SECOND):
            store.add_organisation(organisation, now=NOW)
        store.add_user(USER, now=NOW)
        store.introduce(MAKER.id, FIRST.id)
    return database


def test_storing_twice_changes_nothing_and_what_comes_back_is_what_went_in(parties: Database) -> None:
    with parties.transaction(Role.WORKER) as session:
        store = PartyStore(session)
        store.add_organisation(FIRST, now=NOW)
        store.add_user(USER, now=NOW)
        assert store.organisations() == sorted((MAKER, FIRST, SECOND), key=lambda one: one.name)
        assert store.user_by_email(" ANN@Maker.example") == USER


def test_an_organisation_sees_itself_and_those_it_knows(parties: Database) -> None:
    with parties.transaction(Role.APP, party=FIRST.id) as session:
        assert PartyStore(session).organisations() == [FIRST, MAKER]
        assert PartyStore(session).users() == []
        with pytest.raises(UnknownParty):
            PartyStore(session).organisation(SECOND.id)
    with parties.transaction(Role.APP, party=MAKER.id) as session:
        assert PartyStore(session).users() == [USER]


def test_a_party_changes_no_one_else_and_declares_no_acquaintance(parties: Database) -> None:
    with parties.transaction(Role.APP, party=FIRST.id) as session:
        changed = session.execute(text("UPDATE organisation SET iban = 'mine' RETURNING id")).scalars().all()
        assert changed == [FIRST.id]
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        parties.transaction(Role.APP, party=FIRST.id) as session,
    ):
        PartyStore(session).introduce(FIRST.id, SECOND.id)


def test_the_party_ends_with_its_transaction(parties: Database) -> None:
    with parties.transaction(Role.APP, party=FIRST.id) as session:
        session.execute(text("SELECT 1"))
    with parties.transaction(Role.WORKER) as session:
        assert session.execute(text("SELECT spindleshare_party()")).scalar() is None
    with pytest.raises(PartyMissing), parties.transaction(Role.APP):
        pass


def test_the_analyst_reads_all_but_no_password_and_writes_nothing(parties: Database) -> None:
    with parties.transaction(Role.ANALYST) as session:
        assert len(PartyStore(session).organisations()) == 3
        assert session.execute(text("SELECT email FROM user_account")).scalars().all() == [USER.email]
    for statement in ("SELECT password_hash FROM user_account", "UPDATE organisation SET name = 'x'"):
        with pytest.raises(ProgrammingError, match="permission denied"), parties.transaction(Role.ANALYST) as session:
            session.execute(text(statement))


@pytest.fixture
def deals(empty_database: EmptyDatabase) -> Iterator[Database]:
    """The parties, and a table of our own between two of them, closed as every such table is."""
    migrations.upgrade(empty_database.migrate_url, empty_database.run_url)
    with engine(empty_database.migrate_url, pool=1).begin() as connection:
        migrations.prepare(connection, empty_database.run_url)
        connection.execute(text("CREATE TABLE deal (lessor_id uuid, lessee_id uuid)"))
        for statement in protect("deal", ["lessor_id", "lessee_id"]):
            connection.execute(text(statement))
    database = Database(empty_database.run_url)
    with database.transaction(Role.WORKER) as session:
        for organisation in (MAKER, FIRST, SECOND):
            PartyStore(session).add_organisation(organisation, now=NOW)
    yield database
    database.close()


def deal(database: Database, party: UUID, lessor: UUID, lessee: UUID | None) -> None:
    with database.transaction(Role.APP, party=party) as session:
        session.execute(text("INSERT INTO deal VALUES (:lessor, :lessee)"), {"lessor": lessor, "lessee": lessee})


def test_a_row_with_two_parties_introduces_them_and_nobody_else(deals: Database) -> None:
    deal(deals, FIRST.id, MAKER.id, FIRST.id)
    deal(deals, MAKER.id, MAKER.id, None)
    seen = {MAKER.id: [FIRST, MAKER], FIRST.id: [FIRST, MAKER], SECOND.id: [SECOND]}
    rows = {MAKER.id: 2, FIRST.id: 1, SECOND.id: 0}
    for party, organisations in seen.items():
        with deals.transaction(Role.APP, party=party) as session:
            assert PartyStore(session).organisations() == organisations
            assert session.execute(text("SELECT count(*) FROM deal")).scalar() == rows[party]


def test_a_party_writes_no_row_that_is_not_its_own(deals: Database) -> None:
    with pytest.raises(ProgrammingError, match="row-level security"):
        deal(deals, SECOND.id, MAKER.id, FIRST.id)
    deal(deals, FIRST.id, MAKER.id, FIRST.id)
    with (
        pytest.raises(ProgrammingError, match="row-level security"),
        deals.transaction(Role.APP, party=FIRST.id) as session,
    ):
        session.execute(text("UPDATE deal SET lessee_id = :other"), {"other": SECOND.id})
    with deals.transaction(Role.APP, party=SECOND.id) as session:
        assert session.execute(text("UPDATE deal SET lessee_id = NULL RETURNING 1")).all() == []


def test_passwords() -> None:
    stored = hash_password("wood-tape-river")
    assert stored != hash_password("wood-tape-river")
    assert matches("wood-tape-river", stored)
    assert not matches("wood-tape-rive", stored)
    assert not matches("wood-tape-river", None)


@pytest.mark.parametrize("wrong", [{"name": " "}, {"country": "Germany"}, {"zone": "Mars/Base"}, {"zone": "../x"}])
def test_a_wrong_organisation_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidParty):
        Organisation(**{"id": MAKER.id, "name": "A", **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["", "a", "@b", "a@", "a@b@c"])
def test_a_wrong_address_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidParty):
        user_id(wrong)
