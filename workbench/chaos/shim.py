"""The fault shim: built from its C source, its rules written, and what it did read back."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
ERRORS = ("enospc", "eio", "erofs")


class NoCompiler(Exception):
    """A small C library injects the faults, and there is no C compiler: install gcc (Debian: build-essential)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One fault at the `nth` call of a kind at a site, counted from the process's start. `shim.c` says what each means.

    `argument`: milliseconds of a delay or a clock step; for an error how many calls fail.
    """

    action: str
    call: str
    site: str
    nth: int
    when: str = "before"
    argument: int = 0

    def line(self) -> str:
        return f"{self.action} {self.call} {self.site} {self.nth} {self.when} {self.argument}\n"

    @classmethod
    def of(cls, line: str) -> "Rule":
        action, call, site, nth, when, argument = line.split()
        return cls(action, call, site, int(nth), when, int(argument))


@dataclass(slots=True)
class Shim:
    """The built library, and for one process the files of its rules and its log."""

    library: Path
    folder: Path
    name: str
    ports: Mapping[str, int] = field(default_factory=dict)
    clock_ms: int = 0

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.faults"

    def environment(self, rules: Sequence[Rule]) -> dict[str, str]:
        """Write `rules` for the next start; what its environment needs beside LD_PRELOAD."""
        file = self.folder / f"{self.name}.rules"
        file.write_text("".join(rule.line() for rule in rules))
        return {
            "CHAOS_RULES": str(file),
            "CHAOS_LOG": str(self.log),
            "CHAOS_PORTS": ",".join(f"{name}:{port}" for name, port in self.ports.items()),
            "CHAOS_CLOCK_MS": str(self.clock_ms),
        }

    def hits(self) -> list[Rule]:
        """Every fault that happened so far, in order; calls and sites as they were, also where the rule said `*`."""
        return [Rule.of(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


def build(folder: Path) -> Path:
    """Compile the shim into `folder`; NoCompiler where that cannot be done."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise NoCompiler(str(NoCompiler.__doc__))
    library = folder / "shim.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl", "-pthread"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoCompiler(f"{compiler} could not build {SOURCE.name}: {done.stderr.strip().splitlines()[-1:]}")
    return library
