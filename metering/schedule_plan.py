"""What an agent has been told to cut: schedules admitted one after another, each checked and never believed twice."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from metering.schedule import (
    CutKind,
    ScheduledCut,
    ScheduleError,
    from_ms,
    ordered,
    parse,
    to_ms,
    verify,
)
from metering.signing import BadSignature, PublicKey


class Refusal(StrEnum):
    """Why a schedule was not taken."""

    UNREADABLE = "unreadable"
    BAD_SIGNATURE = "bad signature"
    OTHER_METER = "for another meter"
    OLDER = "older than the one in force"
    OUTDATED = "over before it came"


@dataclass(frozen=True, slots=True)
class Plan:
    """The cuts that the agent knows, the number of the schedule in force (0 before the first), and when it ends.

    Cuts that have passed stay until a schedule issued after them comes: so it is known that they were dealt with.
    """

    number: int = 0
    cuts: tuple[ScheduledCut, ...] = ()
    valid_until: datetime | None = None

    def after(self, moment: datetime) -> Sequence[ScheduledCut]:
        """The cuts that lie after `moment`."""
        return [cut for cut in self.cuts if cut.at > moment]

    def to_json(self) -> str:
        cuts = [[to_ms(cut.at), cut.kind.value, cut.session] for cut in self.cuts]
        until = to_ms(self.valid_until) if self.valid_until else None
        return json.dumps({"number": self.number, "until": until, "cuts": cuts}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        """The plan that `to_json` wrote."""
        plain = json.loads(text)
        cuts = (ScheduledCut(from_ms(at), CutKind(kind), session) for at, kind, session in plain["cuts"])
        return cls(plain["number"], tuple(cuts), from_ms(plain["until"]) if plain["until"] is not None else None)


@dataclass(frozen=True, slots=True)
class Refused:
    """The plan stays as it was; `detail` is for people."""

    why: Refusal
    detail: str


@dataclass(frozen=True, slots=True)
class Admitted:
    """The new plan, and the schedule's cuts that had passed before it came: those cannot be made any more."""

    plan: Plan
    missed: tuple[ScheduledCut, ...] = ()


def admit(plan: Plan, text: str, *, meter: str, key: PublicKey, folded_to: datetime | None) -> Admitted | Refused:
    """Take the signed schedule `text` for `meter` into `plan`.

    `folded_to` is the moment up to which the meter's registers count (None: it has not begun). A reading can only be
    sealed after it; cuts of before are told as missed, once, unless the plan knew them in time: those were made.
    """
    try:
        sealed = parse(text)
        verify(sealed, key)
    except ScheduleError as error:
        return Refused(Refusal.UNREADABLE, str(error))
    except BadSignature as error:
        return Refused(Refusal.BAD_SIGNATURE, str(error))
    new = sealed.schedule
    if new.meter != meter:
        return Refused(Refusal.OTHER_METER, f"the schedule is for meter {new.meter!r}, this one is {meter!r}")
    if new.number <= plan.number:
        return Refused(Refusal.OLDER, f"schedule {new.number} came while {plan.number} is in force")
    if folded_to is not None and new.valid_until <= folded_to:
        return Refused(Refusal.OUTDATED, f"schedule {new.number} ended at {new.valid_until.isoformat()}")
    kept = [cut for cut in plan.cuts if cut.at < new.issued_at]
    known = ordered([*kept, *new.cuts])
    standing = tuple(cut for cut in known if folded_to is None or cut.at > folded_to or cut.at >= new.issued_at)
    passed = (cut for cut in new.cuts if folded_to is not None and cut.at <= folded_to)
    taken = Plan(new.number, standing, new.valid_until)
    return Admitted(taken, tuple(cut for cut in passed if cut not in plan.cuts))
