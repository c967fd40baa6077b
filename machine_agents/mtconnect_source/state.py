"""What the MTConnect source asks its sink to keep: how far it has come in which life of the agent's buffer."""

import json
from dataclasses import asdict, dataclass

_KIND = "mtconnect"


@dataclass(frozen=True, slots=True)
class StreamState:
    """(`instance`, sequence number) is the key of an observation: everything of this life of the buffer before `next`
    is stored. `mapping` says what the items were taken for: another mapping is a new beginning."""

    instance: int = 0
    next: int = 0
    device: str = ""
    mapping: str = ""

    def to_text(self) -> str:
        return json.dumps({"kind": _KIND, **asdict(self)}, separators=(",", ":"))

    @classmethod
    def of_text(cls, text: str) -> "StreamState":
        """What `text` says; nothing to take up when it is empty, another kind of source's, or of another version."""
        try:
            plain = json.loads(text)
            return cls(**plain) if plain.pop("kind") == _KIND else cls()
        except (ValueError, TypeError, KeyError, AttributeError):
            return cls()
