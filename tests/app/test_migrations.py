from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import make_url, text

from app import migrations
from app.database import Database, DatabaseError, Role, engine
from app.postgres import Cluster
from tests.conftest import EmptyDatabase, Postgres

OLDEST = Path("/usr/lib/postgresql/15/bin")


def relations(url: str) -> set[str]:
    with engine(url, pool=1).connect() as connection:
        names = connection.execute(text("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"))
        functions = connection.execute(
            text("SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'spindle%'")
        )
        return {*names.scalars(), *functions.scalars()}


def test_from_empty_to_head_and_back(empty_database: EmptyDatabase) -> None:
    urls = (empty_database.migrate_url, empty_database.run_url)
    assert migrations.upgrade(*urls) == (None, migrations.head())
    full = relations(urls[0])
    assert migrations.upgrade(*urls) == (migrations.head(), migrations.head())
    assert migrations.downgrade(*urls, "base") == (migrations.head(), None)
    assert relations(urls[0]) <= {"alembic_version", "alembic_version_pkc"}
    migrations.upgrade(*urls)
    assert relations(urls[0]) == full


def test_the_tables_are_what_the_rooms_say(empty_database: EmptyDatabase) -> None:
    migrations.upgrade(empty_database.migrate_url, empty_database.run_url)
    with engine(empty_database.migrate_url, pool=1).begin() as connection:
        migrations.prepare(connection, empty_database.run_url)
        command.check(migrations.configuration(connection))


def test_every_table_is_closed_by_party_and_written_by_no_analyst(database: Database) -> None:
    with database.transaction(Role.WORKER) as session:
        open_tables = session.execute(
            text(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') "
                "AND NOT relrowsecurity AND NOT relispartition AND relname <> 'alembic_version'"
            )
        )
        assert open_tables.scalars().all() == []
        # A partition is closed by its parent's security, as long as nobody else can reach it directly.
        reachable = session.execute(
            text(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relispartition "
                "AND relkind = 'r' AND (has_table_privilege('spindleshare_analyst', oid, 'SELECT') "
                "OR has_table_privilege('spindleshare_app', oid, 'SELECT, INSERT, UPDATE, DELETE'))"
            )
        )
        assert reachable.scalars().all() == []
        writable = session.execute(
            text(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') "
                "AND has_table_privilege('spindleshare_analyst', oid, 'INSERT, UPDATE, DELETE, TRUNCATE')"
            )
        )
        assert writable.scalars().all() == []


def test_the_service_refuses_a_login_that_security_does_not_bind(postgres: Postgres, database: Database) -> None:
    database.check()
    for options in ("bypasser LOGIN BYPASSRLS", "owner LOGIN IN ROLE spindleshare_migrator", "stranger LOGIN"):
        postgres.execute(f"CREATE ROLE {options} PASSWORD 'tested'")
    admin = make_url(postgres.admin_url)
    logins = {
        (admin.username, admin.password): "superuser",
        ("bypasser", "tested"): "BYPASSRLS",
        ("owner", "tested"): "owns the tables",
        ("stranger", "tested"): "may not become",
    }
    for (login, password), reason in logins.items():
        url = admin.set(username=login, password=password).render_as_string(hide_password=False)
        opened = Database(url, pool=1)
        try:
            with pytest.raises(DatabaseError, match=reason):
                opened.check()
        finally:
            opened.close()
    for login in ("bypasser", "owner", "stranger"):
        postgres.execute(f"DROP ROLE {login}")


def test_one_login_for_both_is_refused(postgres: Postgres, empty_database: EmptyDatabase) -> None:
    with pytest.raises(DatabaseError, match="different logins"):
        migrations.upgrade(empty_database.migrate_url, empty_database.migrate_url)


def test_an_unreachable_database_is_one_line() -> None:
    with pytest.raises(DatabaseError, match="cannot use the database") as caught:
        Database("postgresql+psycopg://nobody:x@127.0.0.1:1/none").check()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("programs", [None, OLDEST], ids=["embedded", "oldest"])
def test_an_owner_without_superuser_can_migrate(tmp_path: Path, programs: Path | None) -> None:
    """What a hosted PostgreSQL gives: a login that owns its database and may make roles. Also on the oldest version."""
    if programs and not programs.exists():
        pytest.skip("no PostgreSQL 15 of the system here")
    with Cluster(tmp_path / "postgres", durable=False, programs=programs).running() as cluster:
        server = Postgres(cluster.migrate_url("postgres"), "", "", "")
        server.execute("CREATE ROLE plain_owner LOGIN CREATEROLE PASSWORD 'tested'")
        server.execute("CREATE DATABASE hosted OWNER plain_owner")
        owner = make_url(cluster.migrate_url("hosted")).set(username="plain_owner", password="tested")
        urls = (owner.render_as_string(hide_password=False), cluster.run_url("hosted"))
        assert migrations.upgrade(*urls) == (None, migrations.head())
        assert migrations.upgrade(*urls) == (migrations.head(), migrations.head())
        opened = Database(urls[1], pool=1)
        opened.check()
        opened.close()
        migrations.downgrade(*urls, "base")
