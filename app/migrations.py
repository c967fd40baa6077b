"""Bring a database up or down: roles and logins first (they belong to the server), then the migrations."""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import errors, sql
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from app.database import DatabaseError, Role, engine, unreachable

OWNER = "spindleshare_migrator"
_ROOT = Path(__file__).parent.parent
_GROUPS = (OWNER, *(role.value for role in Role))


def upgrade(migrate_url: str, run_url: str, revision: str = "head") -> tuple[str | None, str | None]:
    """Roles, login and tables up to `revision`; the revisions before and after."""
    return _migrate(migrate_url, run_url, lambda config: command.upgrade(config, revision))


def downgrade(migrate_url: str, run_url: str, revision: str) -> tuple[str | None, str | None]:
    """Tables down to `revision` (`base`: none are left); roles stay, other databases may use them."""
    return _migrate(migrate_url, run_url, lambda config: command.downgrade(config, revision))


def head() -> str | None:
    """The newest revision there is."""
    return ScriptDirectory.from_config(configuration()).get_current_head()


def current(connection: Connection) -> str | None:
    """The revision that the database is at; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration; with `connection`, env.py uses it as it is."""
    config = Config(_ROOT / "alembic.ini")
    config.attributes["connection"] = connection
    return config


def prepare(connection: Connection, run_url: str) -> None:
    """Make the roles that are missing, let the run login become app, worker and analyst, and become the owner.

    The login inherits nothing: what it may do is what the role of the transaction may do.
    """
    run, migrate = make_url(run_url), connection.engine.url
    if not run.username:
        raise DatabaseError("SPINDLESHARE_RUN_URL must name a login: postgresql://LOGIN:PASSWORD@host/database")
    if run.username == migrate.username:
        raise DatabaseError(
            "SPINDLESHARE_MIGRATE_URL and SPINDLESHARE_RUN_URL must be different logins: the owner of tables is no user"
        )
    for group in _GROUPS:
        _make_role(connection, group, sql.SQL("NOLOGIN"))
    login = sql.SQL("LOGIN NOINHERIT PASSWORD {}").format(sql.Literal(str(run.password or "")))
    _make_role(connection, run.username, login)
    database, user = sql.Identifier(migrate.database or ""), sql.Identifier(run.username)
    owner, groups = sql.Identifier(OWNER), sql.SQL(", ").join(map(sql.Identifier, _GROUPS[1:]))
    for statement in (
        sql.SQL("GRANT {} TO {}").format(groups, user),
        sql.SQL("GRANT {} TO CURRENT_USER").format(owner),
        sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(database, owner),
        sql.SQL("GRANT CREATE, USAGE ON SCHEMA public TO {}").format(owner),
        sql.SQL("SET LOCAL ROLE {}").format(owner),
    ):
        _execute(connection, statement)


def _migrate(migrate_url: str, run_url: str, move: Callable[[Config], None]) -> tuple[str | None, str | None]:
    door = engine(migrate_url, pool=1)
    try:
        # One transaction for all: a migration that fails leaves the database as it was.
        with door.begin() as connection:
            prepare(connection, run_url)
            before = current(connection)
            move(configuration(connection))
            return before, current(connection)
    except OperationalError as error:
        raise DatabaseError(unreachable(error)) from error
    except ProgrammingError as error:
        if isinstance(error.orig, errors.InsufficientPrivilege):
            raise DatabaseError(
                f"the login of SPINDLESHARE_MIGRATE_URL may not do this: {error.orig}".strip()
                + "; it must own the database and may make roles (CREATEROLE)"
            ) from error
        raise
    finally:
        door.dispose()


def _make_role(connection: Connection, role: str, options: sql.Composable) -> None:
    found = connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}).first()
    if found is not None:
        return
    # Roles belong to the whole server: another session may make this one in between.
    make = sql.SQL("CREATE ROLE {} {}").format(sql.Identifier(role), options)
    try:
        with connection.begin_nested():
            _execute(connection, make)
    except (ProgrammingError, IntegrityError) as error:
        if not isinstance(error.orig, errors.DuplicateObject | errors.UniqueViolation):
            raise


def _execute(connection: Connection, statement: sql.Composable) -> None:
    driver = connection.connection.driver_connection
    connection.exec_driver_sql(statement.as_string(driver).replace("%", "%%"))
