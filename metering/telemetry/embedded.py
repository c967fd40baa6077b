"""The roll-up on this machine: DuckDB in memory, within a limit. The only place that knows DuckDB."""

import tempfile

import duckdb

from metering.telemetry.parquet import relations
from metering.telemetry.rollup import SQL, Batch, Row

# The files ride in a variable: a view takes no parameter, and a path may hold any character.
_VIEW = "CREATE TEMP VIEW observation AS SELECT * FROM read_parquet(getvariable('paths'), hive_partitioning = false)"


class Embedded:
    """`memory_mib` is what DuckDB may use; beyond it, it spills to the temporary folder. `sql` is for benchmarks."""

    def __init__(self, *, memory_mib: int = 2048, threads: int = 2, sql: str = SQL) -> None:
        self._memory_mib, self._threads, self._sql = memory_mib, threads, sql

    def run(self, batch: Batch) -> list[Row]:
        with tempfile.TemporaryDirectory(prefix="spindleshare-rollup-") as spill:
            settings = {"memory_limit": f"{self._memory_mib}MiB", "threads": str(self._threads)}
            with duckdb.connect(config={**settings, "temp_directory": spill}) as connection:
                # A bar on the terminal would run into what the command prints.
                connection.execute("SET enable_progress_bar = false")
                if batch.paths:
                    connection.execute("SET VARIABLE paths = ?", [[str(path) for path in batch.paths]])
                    connection.execute(_VIEW)
                for name, table in relations(batch.stretches, observed=bool(batch.paths)).items():
                    connection.register(name, table)
                return connection.execute(self._sql).fetchall()
