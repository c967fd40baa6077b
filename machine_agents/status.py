"""What the agent is doing: a status file for people and programs, and a log of one JSON object a line."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

_WRITE_EVERY_SECONDS = 1.0


class Status:
    """Facts by section (`source`, `meter`, `spool`, `service`), and events as they happen.

    The file is written at most once a second, whole or not at all; a disk that is full does not stop the agent.
    """

    def __init__(
        self, path: Path | None, log: TextIO | None, *, clock: Callable[[], datetime], monotonic: Callable[[], float]
    ) -> None:
        self._path, self._log, self._clock, self._monotonic = path, log, clock, monotonic
        self._written = float("-inf")
        self.facts: dict[str, dict[str, Any]] = {}

    def note(self, section: str, **facts: Any) -> None:
        """Remember facts; a fact set to None is forgotten."""
        known = self.facts.setdefault(section, {})
        for name, value in facts.items():
            if value is None:
                known.pop(name, None)
            else:
                known[name] = value

    def count(self, section: str, name: str, by: int = 1) -> None:
        """Add to a counter among the facts."""
        known = self.facts.setdefault(section, {})
        known[name] = known.get(name, 0) + by

    def say(self, event: str, **details: Any) -> None:
        """Log an event."""
        if self._log is not None:
            line = {"time": self._clock().isoformat(timespec="milliseconds"), "event": event, **details}
            print(json.dumps(line, default=str), file=self._log, flush=True)

    def write(self, *, at_once: bool = False) -> None:
        """Write the status file when it is time to."""
        now = self._monotonic()
        if self._path is None or (not at_once and now - self._written < _WRITE_EVERY_SECONDS):
            return
        self._written = now
        text = json.dumps({"written": self._clock().isoformat(), **self.facts}, indent=1, default=str)
        partial = self._path.with_name(self._path.name + ".part")
        try:
            partial.write_text(text + "\n", encoding="utf-8")
            partial.replace(self._path)
        except OSError as error:
            self.say("status file not written", why=str(error))
