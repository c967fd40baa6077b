"""The roll-up on a cluster that speaks Spark Connect (Spark, Sail). The only place that knows pyspark."""

import sys
import warnings
from importlib.machinery import ModuleSpec
from types import TracebackType
from typing import Any, Self

from metering.telemetry.parquet import relations
from metering.telemetry.rollup import SQL, Batch, Row

_RETRIES, _BACKOFF_MS = 3, 200


class ClusterMissing(Exception):
    """The cluster cannot be used: install `spindleshare[cluster]`, and check the address sc://host:port."""


def _stand_as_a_program() -> None:
    """pyspark takes a program without a file (`python -c`, a test runner's worker) for its doctests, and ends it."""
    main = sys.modules["__main__"]
    if main.__spec__ is None and not hasattr(main, "__file__"):
        main.__spec__ = ModuleSpec("__main__", None)


class Spark:
    """A session on one server, `url` such as sc://host:15002. It must see the telemetry folder under the same path."""

    def __init__(self, url: str) -> None:
        _stand_as_a_program()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)
                from pyspark.sql.connect.client.retries import DefaultPolicy
                from pyspark.sql.connect.session import SparkSession
        except ImportError as error:
            raise ClusterMissing(f"{error}: install spindleshare[cluster]") from error
        self.url = url
        self._session: Any = SparkSession.builder.remote(url).create()
        # A killed server must be noticed in seconds: the work goes to another.
        policy = DefaultPolicy(max_retries=_RETRIES, initial_backoff=_BACKOFF_MS, max_backoff=_BACKOFF_MS * 4)
        self._session.client.set_retry_policies([policy])
        self._session.conf.set("spark.sql.session.timeZone", "UTC")

    def run(self, batch: Batch) -> list[Row]:
        session = self._session
        if batch.paths:
            session.read.parquet(*map(str, batch.paths)).createOrReplaceTempView("observation")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            for name, table in relations(batch.stretches, observed=bool(batch.paths)).items():
                session.createDataFrame(table).createOrReplaceTempView(name)
        found = session.sql(SQL).toArrow().to_pydict()
        return list(zip(*(found[name] for name in ("stretch", "quarter_ms", "code", "cell", "value")), strict=True))

    def close(self) -> None:
        self._session.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except Exception:
            if kind is None:
                raise
