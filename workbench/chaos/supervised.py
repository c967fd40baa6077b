"""A program of a run, kept going over its planned lives: started again whenever it ends, as a service manager would."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from workbench.chaos.nursery import Child, Nursery
from workbench.chaos.planned import Life
from workbench.chaos.shim import Rule, Shim

_LOOK_SECONDS = 0.01
_RESTART_SECONDS = 0.2


def _never_by_itself(status: int, hits: Sequence[Rule]) -> bool:
    return True


def _no_repair(status: int) -> Sequence[str]:
    return ()


def _not_told(status: int) -> None:
    pass


@dataclass(slots=True)
class Program:
    """`name` as `python -m module arguments`. `wrong` says of an exit status and the calls at which there was a fault
    in this life, where nobody killed it, whether that must not happen: then it is not started again, and `broken` says
    why. `repair` says with which arguments the module is to be run once before it is started again, none for not at
    all; `repaired` is told that run's status."""

    name: str
    module: str
    arguments: Sequence[str]
    nursery: Nursery
    shim: Shim
    folder: Path
    lives: Sequence[Life]
    environment: Mapping[str, str] = field(default_factory=dict)
    wrong: Callable[[int, Sequence[Rule]], bool] = _never_by_itself
    repair: Callable[[int], Sequence[str]] = _no_repair
    repaired: Callable[[int], None] = _not_told
    starts: int = 0
    broken: str = ""
    _child: Child | None = None
    _held_until: float = 0.0
    _kept_down: bool = False
    _repair: Sequence[str] = ()
    _stopping: bool = False
    _hits_seen: int = 0

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        """Begin the next life; after the planned ones come lives without a fault of their own. Or the repair."""
        if self._repair:
            self._child = self._run(self._repair, ())
            return
        rules: tuple[Rule, ...] = self.lives[self.starts].rules if self.starts < len(self.lives) else ()
        self.starts += 1
        self._child = self._run(self.arguments, rules)

    def _run(self, arguments: Sequence[str], rules: Sequence[Rule]) -> Child:
        environment = {**self.environment, **self.shim.environment(rules)}
        return self.nursery.start(self.module, arguments, environment=environment, log=self.log)

    async def keep(self) -> None:
        """Start it again each time it ends, for ever; cancel to let it be."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._child is not None and (status := self._child.poll()) is not None:
                self._child = None
                self._ended(status, loop.time())
            if self._child is None and not self._is_down and loop.time() >= self._held_until:
                self.start()

    @property
    def _is_down(self) -> bool:
        return bool(self.broken) or self._stopping or self._kept_down

    def _ended(self, status: int, now: float) -> None:
        if self._repair:
            self._repair = ()
            self.repaired(status)
            return
        self._repair = self.repair(status)
        hits = self._new_hits()
        # A clock that was set stays so for the next life.
        self.shim.clock_ms += sum(hit.argument for hit in hits if hit.action == "clock")
        if status == -signal.SIGKILL:
            planned = self.lives[self.starts - 1].pause_ms / 1000 if self.starts <= len(self.lives) else 0.0
            self._held_until = max(self._held_until, now + planned)
        elif self.wrong(status, hits):
            self.broken = f"the {self.name} ended by itself with status {status}: {_last_line(self.log)}"
        else:
            self._held_until = max(self._held_until, now + _RESTART_SECONDS)

    def _new_hits(self) -> Sequence[Rule]:
        """The faults at calls of the life that has just ended."""
        hits = self.shim.hits()
        new, self._hits_seen = hits[self._hits_seen :], len(hits)
        return new

    @asynccontextmanager
    async def kept_down(self) -> AsyncIterator[None]:
        """Killed, and not started again before the end of the block."""
        self._kept_down = True
        try:
            self.kill()
            while self._child is not None:  # noqa: ASYNC110  `keep` is what polls it
                await asyncio.sleep(_LOOK_SECONDS)
            yield
        finally:
            self._kept_down = False

    def kill(self, down_seconds: float = 0.0) -> bool:
        """SIGKILL from outside; it stays down for a while. Whether it ran."""
        if self._child is None or self._child.poll() is not None:
            return False
        self._held_until = asyncio.get_running_loop().time() + down_seconds
        self._child.signal(signal.SIGKILL)
        return True

    def signal(self, number: int) -> bool:
        """Send a signal, if it runs."""
        if self._child is None or self._child.poll() is not None:
            return False
        self._child.signal(number)
        return True

    async def stop(self, seconds: float = 30.0) -> None:
        """End it in order, and for good: politely, then firmly."""
        self._stopping = True
        if not self.signal(signal.SIGTERM):
            return
        self.signal(signal.SIGCONT)
        deadline = asyncio.get_running_loop().time() + seconds
        while self._child is not None and self._child.poll() is None:
            if asyncio.get_running_loop().time() > deadline:
                self._child.kill()
                self.broken = self.broken or f"the {self.name} did not end within {seconds:.0f} s"
            await asyncio.sleep(_LOOK_SECONDS)

    def end_at_once(self) -> None:
        """For the way out: leave nothing running."""
        self._stopping = True
        if self._child is not None:
            with contextlib.suppress(ChildProcessError, TimeoutError):
                self._child.kill()


def _last_line(file: Path) -> str:
    lines = file.read_text(errors="replace").strip().splitlines() if file.exists() else []
    return lines[-1] if lines else "it said nothing"
