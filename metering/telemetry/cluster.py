"""Batches (a machine's days) shared out over several workers; what a lost worker had in hand, another does.

Every worker is a Spark Connect server of its own. A batch's result counts once, when it came whole, so a worker may be
killed at any moment: the answer is the same.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from metering.telemetry.rollup import Batch, Engine, Key, Row, add

_TRIES = 3


class ClusterLost(Exception):
    """No worker is left, or a batch failed on several of them; the message says the last one's reason."""


class Worker(Engine, Protocol):
    """An engine behind a connection."""

    def close(self) -> None: ...


@dataclass(slots=True)
class Outcome:
    """`done` counts batches by worker, `lost` tells why a worker was given up."""

    grown: dict[Key, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)


def share_out(batches: Iterable[Batch], workers: Sequence[tuple[str, Callable[[], Worker]]]) -> Outcome:
    """Roll up all `batches` on `workers`, each a name and how to connect. ClusterLost when it cannot be finished."""
    work = _Work(deque((batch, 0) for batch in batches))
    threads = [threading.Thread(target=_serve, args=(work, *worker), daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if work.left or work.in_hand or work.failed:
        raise ClusterLost(work.failed or f"no worker is left: {'; '.join(work.outcome.lost.values())}")
    return work.outcome


@dataclass(slots=True)
class _Work:
    left: deque[tuple[Batch, int]]
    outcome: Outcome = field(default_factory=Outcome)
    in_hand: int = 0
    failed: str = ""
    changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self) -> tuple[Batch, int] | None:
        """The next batch; waits while others may still give one back. None when there is nothing more to do."""
        with self.changed:
            while not self.left and self.in_hand and not self.failed:
                self.changed.wait()
            if not self.left or self.failed:
                return None
            self.in_hand += 1
            return self.left.popleft()

    def give_back(self, batch: Batch, tries: int, why: str) -> None:
        with self.changed:
            self.in_hand -= 1
            self.left.append((batch, tries))
            if tries >= _TRIES:
                self.failed = f"a batch failed {tries} times: {why}"
            self.changed.notify_all()

    def finish(self, worker: str, batch: Batch, rows: list[Row]) -> None:
        with self.changed:
            self.in_hand -= 1
            add(self.outcome.grown, batch, rows)
            self.outcome.done[worker] = self.outcome.done.get(worker, 0) + 1
            self.changed.notify_all()


def _serve(work: _Work, name: str, connect: Callable[[], Worker]) -> None:
    """One worker's thread, until nothing is left or the worker is lost."""
    try:
        engine = connect()
    except (Exception, SystemExit) as error:  # a client that misses its parts ends the thread
        work.outcome.lost[name] = f"{name}: {_first_line(error)}"
        return
    while (taken := work.take()) is not None:
        batch, tries = taken
        try:
            rows = engine.run(batch)
        except (Exception, SystemExit) as error:
            # Whatever it was, it is not this worker's any more; a batch that fails everywhere ends the run.
            work.outcome.lost[name] = f"{name}: {_first_line(error)}"
            work.give_back(batch, tries + 1, _first_line(error))
            return
        work.finish(name, batch, rows)
    with contextlib.suppress(Exception):  # it may have been lost since; its work is done
        engine.close()


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
