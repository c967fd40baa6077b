"""Alembic's entry: the tables of all rooms, and the connection that app.migrations hands over.

Called by hand (`alembic check`, `alembic revision`), it uses this installation's database.
"""

import importlib
from pathlib import Path
from typing import Any

from alembic import context
from sqlalchemy import Connection
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString

_ROOT = Path(__file__).parent.parent
for _room in ("metering", "billing"):
    for _file in sorted(_ROOT.joinpath(_room).rglob("tables*.py")):
        importlib.import_module(".".join(_file.relative_to(_ROOT).with_suffix("").parts))


def render_item(kind: str, item: Any, _context: Any) -> str | bool:
    """SQLModel has a string type of its own; migrations stay plain."""
    if kind == "type" and isinstance(item, AutoString):
        return f"sa.String(length={item.length})" if item.length else "sa.String()"
    return False


def run(connection: Connection) -> None:
    context.configure(
        connection=connection, target_metadata=SQLModel.metadata, compare_type=True, render_item=render_item
    )
    with context.begin_transaction():
        context.run_migrations()


def main() -> None:
    given = context.config.attributes.get("connection")
    if given is not None:
        run(given)
        return
    from app import installation, migrations, settings
    from app.database import engine

    with (
        installation.database_urls(settings.load()) as urls,
        engine(installation.migrate_url(urls), pool=1).begin() as connection,
    ):
        migrations.prepare(connection, urls.run)
        run(connection)


main()
