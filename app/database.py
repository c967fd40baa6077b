"""The one door to the database: an engine, and transactions under a role and for a party."""

import contextlib
from collections.abc import Iterator
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DataError, OperationalError, ProgrammingError
from sqlmodel import Session as Session

_CONNECT_SECONDS = 10
# One round trip sets both; `true` ends them with the transaction, so nothing leaks through the pool.
_ENTER = "SELECT set_config('role', %s, true), set_config('spindleshare.party', %s, true)"
_PRIVILEGED = text(
    """
    SELECT rolname, rolsuper, rolbypassrls, rolname = 'spindleshare_migrator' AS owns FROM pg_roles
    WHERE (rolsuper OR rolbypassrls OR rolname = 'spindleshare_migrator')
      AND (rolname = session_user OR pg_has_role(session_user, oid, 'MEMBER'))
    ORDER BY rolname = session_user DESC
    """
)
_MISSING = text(
    """
    SELECT wanted FROM unnest(CAST(:roles AS text[])) AS wanted
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted AND pg_has_role(session_user, oid, 'MEMBER'))
    """
)


class Role(StrEnum):
    """As whom a transaction works."""

    APP = "spindleshare_app"
    WORKER = "spindleshare_worker"
    ANALYST = "spindleshare_analyst"


class DatabaseError(Exception):
    """The database cannot be used as it is; the message says what to do."""


class PartyMissing(ValueError):
    """A transaction of the app role needs a party: pass party=organisation_id."""


class Database:
    """A pool of connections of the run login, which may become app, worker or analyst and nothing more."""

    def __init__(self, url: str, *, pool: int = 10) -> None:
        self._engine = engine(url, pool=pool)

    @contextlib.contextmanager
    def transaction(
        self, role: Role, *, party: UUID | None = None, as_of_one_moment: bool = False
    ) -> Iterator[Session]:
        """A session in one transaction: committed at the end, rolled back by an exception.

        `party` is the organisation for which it works: the app role sees its rows only and cannot do without.
        `as_of_one_moment` is for reading: all statements see the same rows, whatever is stored meanwhile.
        """
        if role is Role.APP and party is None:
            raise PartyMissing("a transaction of the app role needs party=organisation_id")
        with Session(self._engine) as session, session.begin():
            options = {"isolation_level": "REPEATABLE READ"} if as_of_one_moment else {}
            session.connection(execution_options=options).exec_driver_sql(_ENTER, (role.value, str(party or "")))
            yield session

    def check(self) -> None:
        """Refuse a login that row-level security does not bind; `DatabaseError` says what to do."""
        try:
            with self._engine.connect() as connection:
                privileged = connection.execute(_PRIVILEGED).first()
                missing = connection.execute(_MISSING, {"roles": [role.value for role in Role]}).scalars().all()
        except OperationalError as error:
            raise DatabaseError(unreachable(error)) from error
        if privileged is not None:
            raise DatabaseError(_refusal(*privileged))
        if missing:
            raise DatabaseError(f"the run login may not become {', '.join(missing)}: run `spindleshare migrate up`")

    def revision(self) -> str | None:
        """The migration that the database is at; None where there was none, or where the run login may not look."""
        try:
            with self.transaction(Role.WORKER) as session:
                found: str | None = session.execute(text("SELECT version_num FROM alembic_version")).scalar()
                return found
        except OperationalError as error:
            raise DatabaseError(unreachable(error)) from error
        except (DataError, ProgrammingError):
            return None

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()


def engine(url: str, *, pool: int = 10) -> Engine:
    """An engine for `url`: psycopg 3, sessions in UTC."""
    return create_engine(
        url,
        pool_size=pool,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={"options": "-c timezone=UTC", "connect_timeout": _CONNECT_SECONDS},
    )


def unreachable(error: OperationalError) -> str:
    """One line for a database that cannot be reached."""
    reason = str(error.orig).strip().splitlines()[-1] if error.orig else str(error)
    return f"cannot use the database: {reason.strip()}; check SPINDLESHARE_RUN_URL and SPINDLESHARE_MIGRATE_URL"


def _refusal(role: str, is_superuser: bool, bypasses: bool, owns: bool) -> str:
    if is_superuser or bypasses:
        power = "a superuser" if is_superuser else "exempt from row-level security (BYPASSRLS)"
        return f"refusing to start: {role} is {power}; give SPINDLESHARE_RUN_URL a plain login (see the README of app)"
    assert owns
    return f"refusing to start: the run login is a member of {role}, which owns the tables; revoke that membership"
