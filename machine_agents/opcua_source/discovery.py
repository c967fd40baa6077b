"""What a server has to offer a meter: the signals of each profile, and what cannot be metered without the rest."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path

from asyncua.ua.uaerrors import UaError

from machine_agents.budget import excess
from machine_agents.config import BadConfig, SourceConfig
from machine_agents.opcua_source.browser import Browser
from machine_agents.opcua_source.candidates import Candidate, candidates
from machine_agents.opcua_source.identity import Identity, own_identity
from machine_agents.opcua_source.login import LoginRefused, read_login
from machine_agents.opcua_source.nodes import Found, Resolution, resolve
from machine_agents.opcua_source.session import connect, explain
from machine_agents.profile import Profile, names
from machine_agents.profile_draft import draft

_LONGEST_SECONDS = 300
NEEDS: Mapping[str, Sequence[str]] = {
    "power-on hours": ("power",),
    "program hours": ("execution",),
    "automatic hours": ("execution", "mode"),
    "hours executing and processing (umati)": ("item_state", "operation_mode"),
    "cutting hours": ("execution", "feed", "spindle.*.speed"),
    "spindle hours, starts": ("spindle.*.speed|spindle.*.rotating",),
    "revolutions": ("spindle.*.speed",),
    "load spectrum (wear hours)": ("spindle.*.speed", "spindle.*.load"),
    "axis travel": ("axis.*.position",),
    "energy": ("energy",),
    "parts": ("parts",),
    "tool changes": ("tool",),
    "cross-check with the control's own counters": ("counter.*",),
}
"""What can be metered, and the signals that it takes; `a|b` is either."""

MATTERS: Mapping[str, str] = {
    "power-on hours": "no tariff by power-on time, and no proof that the machine was off",
    "program hours": "no tariff by program run time; occupied but idle time cannot be told",
    "automatic hours": "set-up and manual work cannot be kept out of automatic run time",
    "hours executing and processing (umati)": "the standard's own billing predicate (40501-1, Annex B) cannot be used",
    "cutting hours": "no tariff by cutting time",
    "spindle hours, starts": "no tariff by spindle hours",
    "revolutions": "no wear by revolutions",
    "load spectrum (wear hours)": "no load, so no wear tariff: spindle hours are billed at the priced fallback",
    "axis travel": "no wear by travel of the axes",
    "energy": "energy needs a meter of its own",
    "parts": "no price per part",
    "tool changes": "tool changes are not counted",
    "cross-check with the control's own counters": "the agent's own counting stands alone, gaps cannot be closed",
}
"""What follows when something cannot be metered."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A signal that the server gives: its node and its present value, exact, as the meter would take it.

    `history`: what is missed of it can be read afterwards.
    """

    signal: str
    path: str
    value: int | str | bool | None
    unit: str = ""
    history: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """How far one profile fits a server. `usable`: there is proof of life and something to meter beside it.

    `not_metered` says for each thing why it matters; `config` are the lines to write into the configuration.
    """

    profile: str
    description: str
    usable: bool
    offered: list[Offered]
    missing: dict[str, str]
    metered: list[str]
    not_metered: dict[str, str]
    notes: list[str]
    machine: str
    budget: list[str]
    config: list[str]


@dataclass(frozen=True, slots=True)
class Survey:
    """A server's proposals, the best first, and the two certificates that have to know each other.

    `candidates`: numeric nodes that the best proposal does not map; `whole`: the server was looked through to its end.
    """

    endpoint: str
    agent_certificate: str
    server_certificate: str
    proposals: list[Proposal]
    candidates: list[Candidate]
    whole: bool
    notes: list[str]


class NotReached(Exception):
    """There is no contact with the server, or it does not let us in."""


async def survey(config: SourceConfig, profiles: Iterable[Profile], folder: Path, *, now: datetime) -> Survey:
    """Look at the server with each profile. `folder` holds the certificates. SecurityRefused, NotReached, BadSecret."""
    identity = own_identity(folder)
    try:
        return await _survey(config, profiles, folder, identity, now)
    except (UaError, OSError, TimeoutError, LoginRefused) as error:
        raise NotReached(f"{config.endpoint}: {explain(error, identity)}") from error


async def _survey(
    config: SourceConfig, profiles: Iterable[Profile], folder: Path, identity: Identity, now: datetime
) -> Survey:
    login = read_login(config)
    async with connect(config, identity, folder / "server.der", login, now=now) as link:
        async with asyncio.timeout(_LONGEST_SECONDS):
            browser = Browser(link.session)
            await browser.start()
            looked = [
                (profile, await resolve(link.session, profile, config.machine, config.channel, browser=browser))
                for profile in profiles
            ]
            ranked = sorted((_proposal(config, *one) for one in looked), key=_rank)
            best = next((found for profile, found in looked if ranked and profile.name == ranked[0].profile), None)
            more, whole = await candidates(browser, [one.node for one in best.found] if best else [])
        await link.session.close_session(True)
        return Survey(config.endpoint, identity.fingerprint, link.server, ranked, more, whole, browser.notes)


def _rank(proposal: Proposal) -> tuple[int, int, int, str]:
    """Usable first, then by what can be metered, then by signals; a profile that lacks less of its own is nearer."""
    return (-len(proposal.metered) * proposal.usable, -len(proposal.offered), len(proposal.missing), proposal.profile)


def metered_by(signals: Sequence[str]) -> list[str]:
    """What can be metered from these signals."""

    def there(need: str) -> bool:
        return any(fnmatch(name, one) for one in need.split("|") for name in signals)

    return [what for what, needed in NEEDS.items() if all(map(there, needed))]


def _proposal(config: SourceConfig, profile: Profile, resolution: Resolution) -> Proposal:
    offered = [Offered(one.signal, one.path, present(one), one.entry.unit, one.history) for one in resolution.found]
    metered = metered_by([one.signal for one in offered])
    return Proposal(
        profile.name,
        profile.description,
        # That the server answers is no machine yet.
        resolution.has_heartbeat and bool(set(metered) - {"power-on hours"}),
        offered,
        resolution.missing,
        metered,
        {what: MATTERS[what] for what in NEEDS if what not in metered},
        list(profile.notes),
        resolution.machine,
        excess(profile, config, [one.signal for one in offered]),
        _lines(config, profile, resolution),
    )


def present(found: Found) -> int | str | bool | None:
    """The present value of a signal, exact, as the meter would take it; None where the server has none."""
    value = found.value
    if value is None or value.Value is None or not value.StatusCode.is_good():
        return None
    return found.entry.converter()(value.Value.Value)


def write_draft(found: Survey, path: Path) -> None:
    """Write a draft of a custom profile: what the best profile gives, and the candidates beside it. BadConfig."""
    best = next((one.profile for one in found.proposals if one.usable), "")
    guesses = [(one.signal, one.node, one.path, one.unit) for one in found.candidates]
    text = draft(found.endpoint, best if best in names() else "", guesses)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise BadConfig(f"cannot write {path}: {error.strerror}") from error


def _lines(config: SourceConfig, profile: Profile, resolution: Resolution) -> list[str]:
    lines = [f"endpoint = {json.dumps(config.endpoint)}", f"user = {json.dumps(config.user)}"]
    lines.append(f"profile = {json.dumps(profile.name)}")
    if len(resolution.machines) > 1:
        lines.append(f"machine = {json.dumps(config.machine or '?', ensure_ascii=False)}")
    if config.channel:
        lines.append(f"channel = {json.dumps(config.channel, ensure_ascii=False)}")
    for name in ("sampling_ms", "publish_ms"):
        if allowed := getattr(profile.budget, name):
            lines.append(f"{name} = {allowed[0]}")
    return lines
