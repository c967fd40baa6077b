"""Which of a server's endpoints is used: the strongest that both know, never a weaker one than before."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from asyncua import ua
from asyncua.crypto.security_policies import (
    SecurityPolicy,
    SecurityPolicyAes128Sha256RsaOaep,
    SecurityPolicyAes256Sha256RsaPss,
    SecurityPolicyBasic256Sha256,
)

from machine_agents.config import SECURITY_POLICIES, SourceConfig
from machine_agents.credentials import write_secret

_CLASSES: dict[str, type[SecurityPolicy]] = {
    "Aes256_Sha256_RsaPss": SecurityPolicyAes256Sha256RsaPss,
    "Basic256Sha256": SecurityPolicyBasic256Sha256,
    "Aes128_Sha256_RsaOaep": SecurityPolicyAes128Sha256RsaOaep,
}
_RANK = {name: place for place, name in enumerate(reversed(SECURITY_POLICIES))}
_SOUND = {policy.URI for policy in _CLASSES.values()}
# In a channel that signs and encrypts, a password needs no second encryption; a broken one is refused all the same.
_LEFT_TO_THE_CHANNEL = (None, "", "http://opcfoundation.org/UA/SecurityPolicy#None")


class SecurityRefused(Exception):
    """The server does not offer what we insist on, or is not the one we know: nothing was told to it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The endpoint to use, and the name of its policy."""

    endpoint: ua.EndpointDescription
    name: str

    @property
    def policy(self) -> type[SecurityPolicy]:
        return _CLASSES[self.name]


def choose(endpoints: Sequence[ua.EndpointDescription], config: SourceConfig, memory: Path) -> Choice:
    """The strongest usable endpoint. `memory` holds what this server's strongest was; SecurityRefused below it.

    The addresses that a server names in its endpoints are not followed: the configured one is used, and nothing else.
    """
    usable = _usable(endpoints, config)
    if config.security_policy:
        usable = [one for one in usable if one.name == config.security_policy]
    if not usable:
        raise SecurityRefused(_nothing_usable(endpoints, config))
    best = max(usable, key=lambda one: _RANK[one.name])
    known = memory.read_text(encoding="ascii").strip() if memory.exists() else ""
    if not config.security_policy and _RANK.get(known, -1) > _RANK[best.name]:
        raise SecurityRefused(
            f"the server used to offer {known} and now offers no more than {best.name}: somebody may be in between. "
            f"If it was changed on the control, delete {memory}"
        )
    return best


def confirm(choice: Choice, offered: Sequence[ua.EndpointDescription], config: SourceConfig, memory: Path) -> None:
    """Compare with what the server says over the secure channel, where nobody can change it; then remember it.

    SecurityRefused when it offers more there than discovery showed: somebody took it out on the way.
    """
    best = max((_RANK[one.name] for one in _usable(offered, config)), default=-1)
    if not config.security_policy and best > _RANK[choice.name]:
        raise SecurityRefused(
            f"somebody between us and the server hides its stronger endpoints: only {choice.name} came through"
        )
    if not config.security_policy and (not memory.exists() or memory.read_text(encoding="ascii") != choice.name):
        write_secret(memory, choice.name.encode("ascii"))


def sound_tokens(tokens: Iterable[ua.UserTokenPolicy], config: SourceConfig) -> list[ua.UserTokenPolicy]:
    """The ways to log in that are as configured and do not weaken the secret; the best first."""
    wanted = ua.UserTokenType.Certificate if config.user_certificate else ua.UserTokenType.UserName
    return sorted(
        (
            one
            for one in tokens
            if one.TokenType == wanted
            and (one.SecurityPolicyUri in _SOUND or one.SecurityPolicyUri in _LEFT_TO_THE_CHANNEL)
            and not (config.user_certificate and str(one.SecurityPolicyUri).endswith("#None"))
        ),
        key=lambda one: one.SecurityPolicyUri not in _SOUND,
    )


def _usable(endpoints: Iterable[ua.EndpointDescription], config: SourceConfig) -> list[Choice]:
    return [
        Choice(one, name)
        for one in endpoints or []
        if one.SecurityMode == ua.MessageSecurityMode.SignAndEncrypt
        and (name := _name(one)) in _CLASSES
        and str(one.EndpointUrl).startswith("opc.tcp://")
        and sound_tokens(one.UserIdentityTokens or [], config)
    ]


def _nothing_usable(endpoints: Iterable[ua.EndpointDescription], config: SourceConfig) -> str:
    offered = sorted({f"{_name(one)}/{one.SecurityMode.name}" for one in endpoints})
    login = "a user certificate" if config.user_certificate else "a user name"
    wanted = config.security_policy or " or ".join(SECURITY_POLICIES)
    return (
        f"the server does not offer {wanted} with SignAndEncrypt and {login} (its password not weakly encrypted), only "
        f"{', '.join(offered) or 'nothing'}: enable it on the control"
    )


def _name(endpoint: ua.EndpointDescription) -> str:
    return str(endpoint.SecurityPolicyUri).rpartition("#")[2]
