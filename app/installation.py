"""Where this installation's database is: the settings' one, or the embedded one, started for as long as needed."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from app.database import Database, DatabaseError
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Urls:
    """The database's two doors: `migrate` owns the tables ("" where it is not known here), `run` is the service's."""

    migrate: str
    run: str


@contextlib.contextmanager
def database_urls(settings: Settings) -> Iterator[Urls]:
    """The database's URLs; the embedded server runs until the end of the block, or of its last user's."""
    if not settings.embedded:
        yield Urls(settings.migrate_url, settings.run_url)
        return
    # Imported here: who has a server of their own need not have the embedded one installed.
    from app.postgres import Cluster

    with Cluster(settings.database_folder, port=settings.database_port).running() as cluster:
        yield Urls(cluster.migrate_url(), cluster.run_url())


def revision(urls: Urls) -> str | None:
    """The migration that the database is at; None for an empty one, which may not know the run login yet."""
    opened = Database(urls.migrate or urls.run, pool=1)
    try:
        return opened.revision()
    finally:
        opened.close()


def migrate_url(urls: Urls) -> str:
    """The URL to migrate by, or a `DatabaseError` that asks for it."""
    if not urls.migrate:
        raise DatabaseError("set SPINDLESHARE_MIGRATE_URL: migrations need the login that owns the database")
    return urls.migrate
