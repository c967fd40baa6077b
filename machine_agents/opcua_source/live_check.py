"""What `check` looks at on the machine: certificates, nodes, units, budget, and what the server grants.

A subscription is made for it in a session of its own and taken away again; nothing else changes on the server.
"""

import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from asyncua import ua
from asyncua.ua.uaerrors import UaError

from machine_agents.budget import excess, samples_per_second
from machine_agents.checks import Check, Verdict, offset
from machine_agents.config import SourceConfig
from machine_agents.credentials import BadSecret
from machine_agents.observation import HEARTBEAT
from machine_agents.opcua_source.discovery import MATTERS, NEEDS, metered_by, present
from machine_agents.opcua_source.identity import own_identity
from machine_agents.opcua_source.login import LoginRefused, read_login
from machine_agents.opcua_source.nodes import Resolution, resolve
from machine_agents.opcua_source.session import Link, SecurityRefused, connect, explain
from machine_agents.opcua_source.state import SubscriptionState
from machine_agents.opcua_source.subscription import NoHeartbeat, Subscription, ToleranceRefused
from machine_agents.profile import Profile

_CURRENT_TIME = ua.NodeId(ua.Int32(ua.ObjectIds.Server_ServerStatus_CurrentTime))


async def source_checks(
    config: SourceConfig, profile: Profile, folder: Path, *, clock: Callable[[], datetime]
) -> list[Check]:
    """Every check of the machine, as far as the server lets us come. `folder` holds the certificates."""
    try:
        login = read_login(config)
    except BadSecret as error:
        return [Check("login", Verdict.FAIL, str(error), "give source.password_file, or user_certificate and user_key")]
    # The certificate is made where there is none: the control has to trust it before anything else can be tried.
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    identity = own_identity(folder)
    checks = [Check("agent certificate", Verdict.OK, f"SHA-256 {identity.fingerprint}: the control must trust it")]
    try:
        with tempfile.TemporaryDirectory() as spare:
            # What the first contact keeps is the first start's decision, not a check's: it is tried on a copy.
            pin = _copy_of_memory(folder, Path(spare))
            kept = pin.exists()
            async with connect(config, identity, pin, login, now=clock()) as link:
                try:
                    checks.append(_certificate(config, link, kept=kept))
                    checks += await _live(link, config, profile, clock)
                finally:
                    await link.session.close_session(True)
    except SecurityRefused as refused:
        checks.append(Check("security", Verdict.FAIL, str(refused), "see docs/machines.md, certificates"))
    except (UaError, OSError, TimeoutError, LoginRefused) as error:
        why = f"{config.endpoint}: {explain(error, identity)}"
        checks.append(Check("machine", Verdict.FAIL, why, "switch it on, check endpoint and network"))
    return checks


def _copy_of_memory(folder: Path, spare: Path) -> Path:
    """What the agent remembers of the server, copied: its certificate, and how it was secured."""
    for name in ("server.der", "server.policy"):
        if (folder / name).exists():
            shutil.copy(folder / name, spare / name)
    return spare / "server.der"


def _certificate(config: SourceConfig, link: Link, *, kept: bool) -> Check:
    if kept or config.server_fingerprint or config.trust_folder:
        return Check("server certificate", Verdict.OK, f"SHA-256 {link.server}, the known one")
    advice = "compare it with the control's screen, and write it as source.server_fingerprint"
    return Check("server certificate", Verdict.WARN, f"SHA-256 {link.server} is not known yet", advice)


async def _live(link: Link, config: SourceConfig, profile: Profile, clock: Callable[[], datetime]) -> list[Check]:
    resolution = await resolve(link.session, profile, config.machine, config.channel)
    checks = [await _clock(link, clock), *_signals(resolution), _history(config, resolution)]
    checks.append(_budget(profile, config, resolution))
    if resolution.has_heartbeat and not excess(profile, config, [one.signal for one in resolution.found]):
        checks.append(await _granted(link, config, profile, resolution))
    return checks


async def _clock(link: Link, clock: Callable[[], datetime]) -> Check:
    value = (await link.session.read_attributes([_CURRENT_TIME], ua.AttributeIds.Value))[0]
    told = value.Value.Value if value.Value is not None else None
    if not isinstance(told, datetime):
        return Check("machine clock", Verdict.WARN, "the server does not tell its time", "look at the control's clock")
    told = told if told.tzinfo else told.replace(tzinfo=UTC)
    return offset("machine clock", "this host's", (told - clock()).total_seconds())


def _signals(resolution: Resolution) -> list[Check]:
    checks = []
    for one in sorted(resolution.found, key=lambda found: found.signal):
        value = present(one)
        said = f"{'no value now' if value is None else value} ({one.path}{f', in {one.unit}' if one.unit else ''})"
        checks.append(Check(one.signal, Verdict.OK, said))
    for signal, why in sorted(resolution.missing.items()):
        verdict = Verdict.FAIL if signal == "heartbeat" else Verdict.WARN
        checks.append(Check(signal, verdict, f"not metered: {why}", "see `discover` for what else the server gives"))
    metered = metered_by([one.signal for one in resolution.found])
    if not set(metered) - {"power-on hours"}:
        checks.append(
            Check("profile", Verdict.FAIL, "nothing of it can be metered here", "let `discover` propose another")
        )
    for what in NEEDS:
        if what not in metered:
            checks.append(Check("tariffs", Verdict.WARN, f"{what} cannot be metered: {MATTERS[what]}"))
    return checks


def _history(config: SourceConfig, resolution: Resolution) -> Check:
    """Of which signals the server can tell what was missed. It need not: without, a gap is a gap."""
    if not config.history:
        return Check("history", Verdict.OK, "not read: source.history is false")
    has = sorted(one.signal for one in resolution.found if one.history)
    lacks = sorted(one.signal for one in resolution.found if not one.history and one.signal != HEARTBEAT)
    if not has:
        return Check("history", Verdict.OK, "the server keeps none of these nodes: what is missed is a gap")
    said = f"what is missed can be read afterwards of {', '.join(has)}"
    if not lacks:
        return Check("history", Verdict.OK, said)
    advice = "let the control keep those too: what counts together comes back together"
    return Check("history", Verdict.WARN, f"{said}; not of {', '.join(lacks)}", advice)


def _budget(profile: Profile, config: SourceConfig, resolution: Resolution) -> Check:
    items = len(resolution.found)
    rate = f"{items} items, {samples_per_second(config, items):g} samples/s"
    if over := excess(profile, config, [one.signal for one in resolution.found]):
        return Check(
            "sampling budget", Verdict.FAIL, "; ".join(over), f"limits: {profile.budget.source or profile.name}"
        )
    most = profile.budget.samples_per_second
    return Check("sampling budget", Verdict.OK, f"{rate}{f' of {most}' if most else ', the profile names no limit'}")


async def _granted(link: Link, config: SourceConfig, profile: Profile, resolution: Resolution) -> Check:
    """Outage tolerance: for how long the server keeps values for an agent that is away."""
    subscription = Subscription(link, config)
    made: list[SubscriptionState] = []
    try:
        state = await subscription.create(
            resolution.found, SubscriptionState(), made.append, timestamp_trigger=profile.timestamp_trigger
        )
    except ToleranceRefused as error:
        return Check("outage tolerance", Verdict.FAIL, str(error), "the agent refuses to run on less than the contract")
    except NoHeartbeat as error:
        return Check("outage tolerance", Verdict.FAIL, str(error), "give the user the right to monitor it")
    finally:
        if made and made[-1].subscription:
            await subscription.delete(made[-1].subscription)
    return _tolerance(config, state)


def _tolerance(config: SourceConfig, state: SubscriptionState) -> Check:
    granted = state.granted
    seconds = float(granted["outage_tolerance_seconds"])
    said = (
        f"{seconds:g} s of {config.tolerance_seconds} s: the server keeps {granted['queue']} values a node, samples "
        f"every {granted['sampling_ms']:g} ms, and keeps the subscription {granted['lifetime_seconds']:g} s"
    )
    if refused := granted.get("missing"):
        return Check(
            "outage tolerance", Verdict.WARN, f"{said}; not monitored: {', '.join(refused)}", "see those nodes"
        )
    if seconds < config.tolerance_seconds:
        advice = "sample less often, or agree on a shorter source.tolerance_seconds: a longer outage is a gap"
        return Check("outage tolerance", Verdict.WARN, said, advice)
    return Check("outage tolerance", Verdict.OK, said)
