"""Put another meter on a machine: its readings go on where the old one's end."""

from datetime import datetime, timedelta

from metering.enrol import MeterTaken
from metering.fitting import Fitting, Replacement
from metering.machine import Meter, meter_id
from metering.store import MeteringStore

MAX_REASON = 200
_AHEAD = timedelta(minutes=5)


class CannotReplace(ValueError):
    """The meter cannot be replaced so: tell the newest meter, another serial, and the moment when it was done.

    `field` is what has to be told otherwise: old, serial, at or reason.
    """

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


def replace_meter(
    old: Meter, serial: str, *, at: datetime, reason: str, store: MeteringStore, now: datetime
) -> Fitting:
    """From `at` on the machine is measured by the meter `serial`. The same again changes nothing.

    The old meter's readings of before `at` stay what they are, also those that come late. Needs the worker's role.
    Raises CannotReplace, MeterTaken.
    """
    _check(serial, at, reason, now)
    store.lock_meter(old.id)
    done = next((each for each in store.fittings(old.id) if each.meter.serial == serial), None)
    if done is not None:
        if done.since != at:
            raise CannotReplace(f"{serial} is on this machine already, since {_text(done.since)}", "serial")
        return done
    place = store.fittings(old.id)[-1]
    if place.meter.id != old.id:
        raise CannotReplace(f"{old.serial} was replaced at {_text(place.since)}: name {place.meter.serial}", "old")
    if place.since is not None and at <= place.since:
        raise CannotReplace(f"{old.serial} came on the machine at {place.since.isoformat()}: tell a later moment", "at")
    new = Meter(id=meter_id(serial), machine_id=old.machine_id, owner_id=old.owner_id, serial=serial)
    store.add_meter(new, now=now)
    there = store.meter(new.id)
    if there.machine_id != old.machine_id:
        raise MeterTaken(f"meter {serial} belongs to another machine")
    store.add_replacement(Replacement(old, there, at, reason.strip()), now=now)
    return store.fittings(old.id)[-1]


def _check(serial: str, at: datetime, reason: str, now: datetime) -> None:
    if not serial.strip():
        raise CannotReplace("give the new meter's serial number", "serial")
    if not 0 < len(reason.strip()) <= MAX_REASON:
        raise CannotReplace(f"give a reason of up to {MAX_REASON} characters: it is printed on the bill", "reason")
    if at.tzinfo is None:
        raise CannotReplace(f"{at.isoformat()} has no zone: write such as 2026-05-14T10:07+02:00", "at")
    if at > now + _AHEAD:
        raise CannotReplace(f"{at.isoformat()} is still to come: tell a replacement when it is done", "at")


def _text(moment: datetime | None) -> str:
    return moment.isoformat() if moment else "its first day"
