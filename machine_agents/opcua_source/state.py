"""What the OPC UA source asks its sink to keep, to take up its subscription again."""

import json
from dataclasses import dataclass, field, fields
from typing import Any

_KIND = "opcua"


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """Everything needed to take up a subscription again.

    `token` and `nonce` belong to the session, `signals` is the order that client handles count. `last_sequence` is the
    last notification stored. `ready`: the monitored items are known to exist. `fresh`: nothing of this subscription was
    stored yet, so what lies before its first heartbeat was not seen; `connected`: it is of the same nodes in the same
    units as what was before, so that the server's history may tell what lies between. `profile` and `server` say what
    it was made for, `granted` what the server made of our wishes.
    """

    token: str = ""
    nonce: str = ""
    subscription: int = 0
    last_sequence: int = 0
    signals: tuple[str, ...] = ()
    ready: bool = False
    fresh: bool = True
    connected: bool = False
    profile: str = ""
    server: str = ""
    granted: dict[str, Any] = field(default_factory=dict)

    def to_text(self) -> str:
        # With every delivery: its fields as they are, where asdict would copy each of them.
        return json.dumps({"kind": _KIND, **{name: getattr(self, name) for name in _FIELDS}}, separators=(",", ":"))

    @classmethod
    def of_text(cls, text: str) -> "SubscriptionState":
        """What `text` says; nothing to take up when it is empty, another kind of source's, or of another version."""
        try:
            plain = json.loads(text)
            if plain.pop("kind") != _KIND:
                return cls()
            return cls(**(plain | {"signals": tuple(plain["signals"])}))
        except (ValueError, TypeError, KeyError, AttributeError):
            return cls()


_FIELDS = tuple(one.name for one in fields(SubscriptionState))
