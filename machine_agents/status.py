"""What the agent is doing: a status file for people and programs, and a log of one JSON object a line."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TextIO, TypeAlias

_WRITE_EVERY_SECONDS = 1.0
Level: TypeAlias = Literal["info", "warning", "error"]


class Status:
    """Facts by section (`source`, `meter`, `spool`, `service`), and events as they happen.

    The file is written at most once a second, whole or not at all; a disk that is full does not stop the agent, be
    it the status file's or the log's: lines that could not be logged are counted.
    """

    def __init__(
        self, path: Path | None, log: TextIO | None, *, clock: Callable[[], datetime], monotonic: Callable[[], float]
    ) -> None:
        self._path, self._log, self._clock, self._monotonic = path, log, clock, monotonic
        self._written = float("-inf")
        self._text = "{}"
        self.facts: dict[str, dict[str, Any]] = {}

    def now(self) -> datetime:
        """Wall time."""
        return self._clock()

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

    def say(self, event: str, *, level: Level = "info", **details: Any) -> None:
        """Log an event."""
        if self._log is not None:
            moment = self._clock().isoformat(timespec="milliseconds")
            line = {"time": moment, "level": level, "event": event, **details}
            try:
                print(json.dumps(line, default=str), file=self._log, flush=True)
            except OSError:
                self.count("agent", "log_lines_lost")

    def published(self) -> Mapping[str, Mapping[str, Any]]:
        """The facts as they were published last: a copy, for whoever reads them from another thread."""
        published: dict[str, Any] = json.loads(self._text)
        return {section: facts for section, facts in published.items() if isinstance(facts, dict)}

    def write(self, *, at_once: bool = False) -> None:
        """Publish the facts and write the status file, when it is time to."""
        now = self._monotonic()
        if not at_once and now - self._written < _WRITE_EVERY_SECONDS:
            return
        self._written = now
        self._text = json.dumps({"written": self._clock().isoformat(), **self.facts}, indent=1, default=str)
        if self._path is None:
            return
        partial = self._path.with_name(self._path.name + ".part")
        try:
            partial.write_text(self._text + "\n", encoding="utf-8")
            partial.replace(self._path)
        except OSError as error:
            self.say("status file not written", level="warning", why=str(error))
