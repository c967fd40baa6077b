"""What may happen to the database server under the service."""

import asyncio
import os
import signal

from sqlalchemy import text

from app.database import engine
from app.postgres import Cluster

KINDS = ("kill", "restart", "disconnect")


async def spoil(cluster: Cluster, database: str, what: str, down_seconds: float) -> bool:
    """Kill the server, stop it in order, or end its connections to `database`; after a while it runs again."""
    if what == "disconnect":
        await asyncio.to_thread(_disconnect, cluster, database)
        return True
    if what == "kill":
        os.kill(int((cluster.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    else:
        await asyncio.to_thread(cluster.stop)
    await asyncio.sleep(down_seconds)
    await asyncio.to_thread(cluster.start)
    return True


def _disconnect(cluster: Cluster, database: str) -> None:
    query = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name AND pid <> pg_backend_pid()"
    )
    server = engine(cluster.migrate_url("postgres"), pool=1)
    with server.connect() as connection:
        connection.execute(query, {"name": database})
    server.dispose()
