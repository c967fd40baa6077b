"""A machine's wear and its components' histories as data: what `--json` prints and the API answers.

Numbers are decimals as text, rounded once: shares of life to 12 places, use to 6. `null` is what cannot be said.
"""

from fractions import Fraction
from typing import Any

from app.wear import MachineWear, Share
from billing.money import round_half_up
from metering.components.component import Entry, History
from metering.components.measure import ComponentWear, Found, LifeWear
from metering.components.models import CannotSay, rated
from metering.components.parameters import Parameters, unit_of
from metering.components.remaining import Remaining
from metering.components.worth import worth_of
from metering.register import in_billed_unit

_SHARE, _USE = 12, 6


def wear_data(found: MachineWear) -> dict[str, Any]:
    """The machine's wear."""
    return {
        "machine": str(found.machine.id),
        "name": found.machine.name,
        "from": found.period.start.isoformat(),
        "until": found.period.end.isoformat(),
        "known_at": found.known_at.isoformat() if found.known_at else None,
        "components": [_component(each, shares) for each, shares in found.components],
    }


def history_data(history: History) -> dict[str, Any]:
    """A component and all that was told of it."""
    return {
        "component": str(history.component.id),
        "name": history.component.name,
        "kind": history.component.kind.value,
        "entries": [_entry(entry) for entry in history.entries],
    }


def _component(found: ComponentWear, shares: tuple[Share, ...]) -> dict[str, Any]:
    version = found.version
    parameters = version.parameters if version else None
    return {
        "component": str(found.history.component.id),
        "name": found.history.component.name,
        "kind": found.history.component.kind.value,
        "unit": unit_of(parameters) if parameters else None,
        "parameters": parameters.to_json() if parameters else None,
        "parameters_entry": version.number if version else None,
        "rated_life": number(rated(parameters), _USE) if parameters else None,
        "present": _life(found.present) if found.present else None,
        "earlier": [_life(each) for each in found.earlier],
        "in_period": worn_data(found.in_period),
        "by": [
            {"lease": str(each.lease) if each.lease else None, "who": each.who, "worn": worn_data(each.worn)}
            for each in shares
        ],
        "lately": {"days_with_readings": number(found.recent_days, _USE), "worn": worn_data(found.recent)},
        "remaining": _remaining(found.left) if found.left else None,
        "worth": _worth(parameters, found.present),
        "rests_on": {
            "watched_hours": _hours(found.use.watched_ms),
            "not_proven_alive_hours": _hours(found.use.unproven_ms),
            "substitute_hours": _hours(found.use.substitute_ms),
            "without_readings_hours": _hours(found.unwatched_ms),
        },
    }


def _life(found: LifeWear) -> dict[str, Any]:
    life = found.life
    return {
        "number": life.number,
        "serial": life.serial,
        "fitted_at": life.start.isoformat(),
        "until": life.end.isoformat() if life.end else None,
        "used_before": format(life.used_share, "f"),
        "since_fitted": worn_data(found.since_fitted),
        "whole": worn_data(found.whole),
    }


def worn_data(found: Found) -> dict[str, Any]:
    """Shares of life, or why they cannot be said."""
    if isinstance(found, CannotSay):
        return {"cannot_say": found.reason}
    return {
        "share": number(found.share, _SHARE),
        "least": number(found.least, _SHARE),
        "most": number(found.most, _SHARE),
        "used": number(found.used, _USE),
        "used_with_unknown_load": number(found.unknown, _USE),
    }


def _remaining(left: Remaining) -> dict[str, Any]:
    return {
        "on_mix": number(left.on_mix, _USE),
        "lately": number(left.lately, _USE),
        "earliest": number(left.earliest, _USE),
        "latest": number(left.latest, _USE),
        "survive": str(round(left.survive, _USE)) if left.survive is not None else None,
    }


def _worth(parameters: Parameters | None, present: LifeWear | None) -> dict[str, Any] | None:
    worth = worth_of(parameters) if parameters else None
    if worth is None or present is None or isinstance(present.whole, CannotSay):
        return None
    return {"currency": worth.currency, "carried_by_use": number(worth.left(present.whole.share), _USE)}


def _entry(entry: Entry) -> dict[str, Any]:
    told = {
        "number": entry.number,
        "what": entry.what.value,
        "valid_from": entry.at.isoformat(),
        "recorded_at": entry.recorded_at.isoformat(),
        "by": entry.by,
        "why": entry.why,
    }
    if entry.parameters:
        return {**told, "parameters": entry.parameters.to_json()}
    if entry.withdraws is not None:
        return {**told, "withdraws": entry.withdraws}
    return {**told, "serial": entry.serial, "used_share": format(entry.used_share, "f")}


def number(exact: Fraction | None, places: int) -> str | None:
    """A number as text with so many places."""
    return None if exact is None else format(round_half_up(exact, places), "f")


def _hours(ms: int) -> str | None:
    return number(in_billed_unit("power_on", ms), _USE)
