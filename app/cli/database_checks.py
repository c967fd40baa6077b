"""What `spindleshare doctor` looks at in the database."""

from collections.abc import Iterator

from app import installation, migrations
from app.cli.checks import Check, State
from app.database import Database, DatabaseError
from app.settings import Settings


def database_checks(settings: Settings) -> Iterator[Check]:
    """Whether it can be reached, is at this version, and binds the service by row-level security."""
    if settings.embedded and not (settings.database_folder / "data").exists():
        yield Check(
            "database", State.NOTE, "embedded, not made yet", "`spindleshare migrate up` makes it, `make demo` too"
        )
        return
    try:
        with installation.database_urls(settings) as urls:
            yield from _running(settings, urls)
    except Exception as error:
        from app.cli.problem import explain

        yield Check("database", State.WRONG, explain(error)[0], "see the line itself")


def _running(settings: Settings, urls: installation.Urls) -> Iterator[Check]:
    here, newest = installation.revision(urls), migrations.head()
    where = f"embedded in {settings.database_folder.resolve()}" if settings.embedded else urls.run.rpartition("@")[2]
    yield Check("database", State.OK, where)
    if here != newest:
        yield Check("migrations", State.WRONG, f"at {here or 'nothing'}, newest {newest}", "`spindleshare migrate up`")
        return
    yield Check("migrations", State.OK, f"at {here}, the newest")
    opened = Database(urls.run, pool=1)
    try:
        opened.check()
        yield Check("roles", State.OK, "the service's login is bound by row-level security")
    except DatabaseError as error:
        yield Check(
            "roles", State.WRONG, str(error), "`spindleshare migrate up` with a plain login in SPINDLESHARE_RUN_URL"
        )
    finally:
        opened.close()
