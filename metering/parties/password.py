"""Password hashes: scrypt, with its cost beside the hash so that it can be raised later."""

import hashlib
import hmac
import secrets

_COST, _BLOCK, _PARALLEL = 2**14, 8, 1
_MEMORY = 64 * 1024 * 1024
# Compared against where there is no such user, so that the answer takes as long.
_NOBODY = "scrypt$16384$8$1$00$00"


def hash_password(password: str) -> str:
    """A new salted hash of `password`."""
    salt = secrets.token_bytes(16)
    digest = _scrypt(password, salt, _COST, _BLOCK, _PARALLEL)
    return f"scrypt${_COST}${_BLOCK}${_PARALLEL}${salt.hex()}${digest.hex()}"


def matches(password: str, stored: str | None) -> bool:
    """Whether `password` is the one hashed in `stored`; None (no such user) never matches and takes as long."""
    _, cost, block, parallel, salt, digest = (stored or _NOBODY).split("$")
    found = _scrypt(password, bytes.fromhex(salt), int(cost), int(block), int(parallel))
    return hmac.compare_digest(found, bytes.fromhex(digest)) and stored is not None


def _scrypt(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=cost, r=block, p=parallel, maxmem=_MEMORY)
