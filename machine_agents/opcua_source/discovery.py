"""What a server has to offer a meter: the signals of each profile, and what cannot be metered without the rest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from asyncua import ua
from asyncua.ua.uaerrors import UaError

from machine_agents.config import SourceConfig
from machine_agents.credentials import first_line
from machine_agents.opcua_source.identity import Identity, own_identity
from machine_agents.opcua_source.nodes import Resolution, resolve
from machine_agents.opcua_source.session import connect, explain
from machine_agents.profile import Profile

NEEDS: Mapping[str, Sequence[str]] = {
    "power-on hours": ("power",),
    "program hours": ("execution",),
    "automatic hours": ("execution", "mode"),
    "cutting hours": ("execution", "feed", "spindle.*.speed"),
    "spindle hours, revolutions, starts": ("spindle.*.speed",),
    "load spectrum (wear hours)": ("spindle.*.speed", "spindle.*.load"),
    "axis travel": ("axis.*.position",),
    "energy": ("energy",),
    "parts": ("parts",),
    "cross-check with the control's own counters": ("counter.*",),
}
"""What can be metered, and the signals that it takes."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A signal that the server gives: its node and its present value, exact, as the meter would take it."""

    signal: str
    path: str
    value: int | str | bool | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """How far one profile fits a server. `usable`: there is proof of life, so metering is possible at all."""

    profile: str
    description: str
    usable: bool
    offered: list[Offered]
    missing: dict[str, str]
    metered: list[str]
    not_metered: list[str]


@dataclass(frozen=True, slots=True)
class Survey:
    """A server's proposals, and the two certificates that have to know each other."""

    endpoint: str
    agent_certificate: str
    server_certificate: str
    proposals: list[Proposal]


class NotReached(Exception):
    """There is no contact with the server, or it does not let us in."""


async def survey(config: SourceConfig, profiles: Iterable[Profile], folder: Path) -> Survey:
    """Look at the server with each profile. `folder` holds the certificates. SecurityRefused, NotReached, BadSecret."""
    identity = own_identity(folder)
    try:
        return await _survey(config, profiles, folder, identity)
    except (UaError, OSError, TimeoutError) as error:
        raise NotReached(f"{config.endpoint}: {explain(error, identity)}") from error


async def _survey(config: SourceConfig, profiles: Iterable[Profile], folder: Path, identity: Identity) -> Survey:
    password = first_line(config.password_file, "password of the OPC UA user")
    proposals: list[Proposal] = []
    async with connect(config, identity, folder / "server.der", password) as link:
        for profile in profiles:
            resolution = await resolve(link.session, profile, config.machine, config.channel)
            nodes = [one.node for one in resolution.found]
            values = await link.session.read_attributes(nodes, ua.AttributeIds.Value) if nodes else []
            proposals.append(_proposal(profile, resolution, values))
        await link.session.close_session(True)
        return Survey(config.endpoint, identity.fingerprint, link.server, proposals)


def _proposal(profile: Profile, resolution: Resolution, values: Sequence[ua.DataValue]) -> Proposal:
    offered = [
        Offered(one.signal, one.path, one.entry.converter()(value.Value.Value) if value.Value else None)
        for one, value in zip(resolution.found, values, strict=True)
    ]
    names = [one.signal for one in offered]
    metered = [
        what for what, needed in NEEDS.items() if all(any(fnmatch(name, need) for name in names) for need in needed)
    ]
    return Proposal(
        profile.name,
        profile.description,
        resolution.has_heartbeat,
        offered,
        resolution.missing,
        metered,
        [what for what in NEEDS if what not in metered],
    )
