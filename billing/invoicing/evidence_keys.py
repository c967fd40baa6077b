"""Keys for evidence: the platform's signature over a bundle, and the registry that says whose keys are whose.

An auditor gets the registry apart from any bundle: a bundle that brings its own keys proves nothing.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from metering import signing
from metering.keyring import Keyring
from metering.signing import BadKey, BadSignature, PrivateKey, PublicKey

FORMAT = "spindleshare-keys/1"
# The order of P-256: with s, also order - s signs; only the smaller is taken, so that a signature has one spelling.
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_BIGGEST = 1024 * 1024


class BadRegistry(ValueError):
    """A key registry is a JSON object {"format": "spindleshare-keys/1", "agents": {ID: {...}}, "platform": [PEM]}."""


@dataclass(frozen=True, slots=True)
class AgentKey:
    """An enrolled agent's public keys over its life, and the serial of the meter that it seals."""

    keys: Keyring
    meter: str | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """What an auditor trusts: agents by id (`anyone`: a key given by hand for whichever agent), and the platform's."""

    agents: Mapping[str, AgentKey]
    platform: tuple[PublicKey, ...] = ()
    anyone: AgentKey | None = None

    def of_agent(self, agent: str) -> AgentKey | None:
        return self.anyone or self.agents.get(agent)


def registry_text(agents: Mapping[str, tuple[str, Sequence[tuple[int, str]]]], platform: Iterable[str]) -> str:
    """A registry of meter serial and (first record, public key PEM) per agent id, and the platform's keys (PEM)."""
    listed = {
        agent: {"meter": meter, "keys": [{"first_record": first, "public_key_pem": pem} for first, pem in keys]}
        for agent, (meter, keys) in agents.items()
    }
    return json.dumps({"format": FORMAT, "agents": listed, "platform": list(platform)}, indent=2, sort_keys=True) + "\n"


def registry_from(text: str) -> Keys:
    """The keys of a registry's text. Raises BadRegistry, BadKey."""
    if len(text) > _BIGGEST:
        raise BadRegistry("a key registry has at most 1 MiB")
    try:
        data: Any = json.loads(text)
        if data["format"] != FORMAT:
            raise BadRegistry(f"the registry's format is {data['format']!r}, not {FORMAT}")
        agents = {
            str(agent): AgentKey(
                Keyring.of_pems((int(one["first_record"]), str(one["public_key_pem"])) for one in entry["keys"]),
                str(entry["meter"]),
            )
            for agent, entry in data["agents"].items()
        }
        return Keys(agents, tuple(signing.public_from_pem(pem) for pem in data["platform"]))
    except (BadRegistry, BadKey):
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise BadRegistry(f"this is no key registry ({type(error).__name__}: {error})") from error


def sign(data: bytes, key: PrivateKey) -> str:
    """The platform's signature over `data`: hex of DER, with the smaller s."""
    r, s = decode_dss_signature(signing.sign(data, key))
    return encode_dss_signature(r, min(s, _ORDER - s)).hex()


def is_signed(signature: str, data: bytes, keys: Iterable[PublicKey]) -> bool:
    """Whether one of `keys` made `signature`, in its one spelling, over `data`."""
    try:
        der = bytes.fromhex(signature)
        r, s = decode_dss_signature(der)
    except ValueError:
        return False
    if der.hex() != signature or 2 * s > _ORDER or encode_dss_signature(r, s) != der:
        return False
    return any(_matches(der, data, key) for key in keys)


def _matches(der: bytes, data: bytes, key: PublicKey) -> bool:
    try:
        signing.check(der, data, key)
    except BadSignature:
        return False
    return True
