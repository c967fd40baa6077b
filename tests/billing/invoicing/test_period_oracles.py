"""Billing periods that public projects document and test, through PERIODS.json as `spindleshare periods` reads it.

Conventions that differ from ours, and what the adapters do about them:
- Lago says an end as its last second: one second is taken off ours. It bills whole days of the customer's zone: moments
  are taken down to their local day, and a termination's day belongs to the lease. A usage charge is in arrears
  whatever the plan is.
- Kill Bill bills by calendar days of no zone: UTC. Its bill cycle day is an anchor on that day of the start's month (of
  January where months are counted one by one, since that has a 31st). It rounds each period's part, then adds.
- OpenMeter adds a duration: the end of the first period from there.
Cases that we do not follow are listed with their reason; a listed case that passes, or an unknown id, fails.
"""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from billing.invoicing.billing_periods import billing_periods
from billing.invoicing.periods_json import plan_from_json, to_json

ORACLES = Path(__file__).parent.parent.parent / "oracles"
FILES = ("periods_lago.json", "periods_killbill.json", "periods_dst.json")
FAR = timedelta(days=2 * 366 + 1)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
UNITS = {"weekly": "week", "monthly": "month", "quarterly": "quarter", "semiannual": "half_year", "yearly": "year"}
CYCLES = {"WEEKLY": "week", "THIRTY_DAYS": "30_days", "MONTHLY": "month", "QUARTERLY": "quarter", "ANNUAL": "year"}

NOT_FOLLOWED = {
    "lago-semiannual-65": "there a period that is over before the lease starts is billed, as empty; here it is none",
    "lago-yearly-140": "there a lease that has ended still begins its next period; here its last one is the last",
    "lago-semiannual-612": "the case leaves out that these charges are monthly; the last half year ends in December",
    "killbill-095": "there the step back from a clamped month end (28 February) is to 28 January; here to the 31st",
    "om-add-2024-01-15-P1Y2M10DT5H30M45S": "a duration of mixed units; a billing period is a count of one unit",
}


def cases() -> list[Any]:
    return [
        pytest.param(case, id=case["id"])
        for name in FILES
        for case in json.loads((ORACLES / name).read_text(encoding="utf-8"))["cases"]
    ]


def periods(**asked: Any) -> list[dict[str, Any]]:
    """The public path: PERIODS.json in, its answer out."""
    told = {"format": "spindleshare-periods/1"} | {name: value for name, value in asked.items() if value is not None}
    told["from"] = told.pop("start")
    told["to"] = told.pop("end")
    plan = plan_from_json(json.loads(json.dumps(told)))
    found: list[dict[str, Any]] = to_json(plan, billing_periods(plan))["periods"]
    return found


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00").replace(" UTC", "+00:00"))


# Lago


def lago(case: dict[str, Any]) -> bool:
    told, question = case["inputs"], case["question"].removeprefix("compute_")
    monthly = told.get("charges_billed_monthly") or told.get("fixed_charges_billed_monthly")
    zone = ZoneInfo(told["timezone"])
    start, at = local_day(told["started_at"], zone), local_moment(told["billing_at"], zone)
    end = local_day(told["terminated_at"], zone) + DAY if "terminated_at" in told else None
    in_advance = told["pay_in_advance"] and not question.startswith(("charges", "fixed_charges"))
    found = periods(
        unit="month" if monthly else UNITS[case["interval"]],
        anchor="calendar"
        if told["billing_time"] == "calendar"
        else local_day(told["subscription_at"], zone).isoformat(),
        zone=zone.key,
        start=start.isoformat(),
        end=(at.date() + FAR).isoformat(),
        lease={"from": start.isoformat()} | ({"to": end.isoformat()} if end else {}),
        billed="in_advance" if in_advance else "in_arrears",
    )
    # The last bill comes when the lease has ended, even where the biller is asked before.
    asked = max(at, datetime.combine(end, at.min.time(), zone)) if end else at
    boundary = {"beginning": "previous", "end": "next"}.get(question.split("_")[1], "")
    if told.get("current_usage") or boundary == "next" or told.get("current_period"):
        index = max(number for number, each in enumerate(found) if moment(each["from"]) <= asked)
    elif boundary == "previous":
        index = max(number for number, each in enumerate(found) if moment(each["from"]) <= asked) - 1
    else:
        billed = [number for number, each in enumerate(found) if moment(each["billed_at"]) <= asked]
        if not billed:
            return False
        index = billed[-1]
    chosen = found[index]
    stretch = chosen["whole"] if boundary else chosen
    wants_end = question.endswith("to_datetime") or boundary == "next"
    answer = moment(stretch["to"]) - SECOND if wants_end else moment(stretch["from"])
    return answer == moment(case["expected_utc"])


def local_moment(text: str, zone: ZoneInfo) -> datetime:
    layout = "%d %b %Y %H:%M:%S" if ":" in text else "%d %b %Y"
    return datetime.strptime(text, layout).replace(tzinfo=UTC).astimezone(zone)


def local_day(text: str, zone: ZoneInfo) -> date:
    return local_moment(text, zone).date()


# Kill Bill


def killbill(case: dict[str, Any]) -> bool:
    return {
        "whole_periods_between": whole_periods,
        "advance_n_periods": advanced,
        "recede_n_periods": receded,
        "first_billing_cycle_date": first_cycle,
        "last_billing_cycle_date": last_cycle,
        "effective_end_date": effective_end,
        "number_of_billing_cycles_in_advance": cycles_in_advance,
    }[case["kind"]](case)


def whole_periods(case: dict[str, Any]) -> bool:
    found = periods(unit=CYCLES[case["period"]], anchor=case["start"], start=case["start"], end=case["end"])
    return sum(each["is_whole"] for each in found) == case["expected"]


def advanced(case: dict[str, Any]) -> bool:
    start = date.fromisoformat(case["start"])
    found = periods(unit=CYCLES[case["period"]], anchor=case["start"], start=case["start"], end=f"{start + FAR}")
    return bool(moment(found[case["n"] - 1]["to"]).date().isoformat() == case["expected"])


def receded(case: dict[str, Any]) -> bool:
    start = date.fromisoformat(case["start"])
    found = periods(unit=CYCLES[case["period"]], anchor=case["start"], start=f"{start - FAR}", end=f"{start + FAR}")
    index = next(number for number, each in enumerate(found) if moment(each["from"]).date() == start)
    return bool(moment(found[index - case["n"]]["from"]).date().isoformat() == case["expected"])


def first_cycle(case: dict[str, Any]) -> bool:
    start = date.fromisoformat(case["start"])
    found = in_advance(case, start + FAR)
    first = found[0] if found[0]["is_whole"] else found[1]
    return bool(first["billed_on"] == case["expected"])


def last_cycle(case: dict[str, Any]) -> bool:
    found = in_advance(case, date.fromisoformat(case["end"]))
    begun = [each["billed_on"] for each in found if each["billed_on"] <= case["target"]]
    return bool(begun[-1] == case["expected"])


def effective_end(case: dict[str, Any]) -> bool:
    found = in_advance(case, date.fromisoformat(case["start"]) + FAR)
    billed = [each for each in found if each["billed_on"] <= case["target"]]
    return bool(moment(billed[-1]["to"]).date().isoformat() == case["expected"])


def cycles_in_advance(case: dict[str, Any]) -> bool:
    end = case["end"] or f"{date.fromisoformat(case['target']) + FAR}"
    found = in_advance(case, date.fromisoformat(end))
    parts = [Decimal(each["part_decimal"]) for each in found if each["billed_on"] <= case["target"]]
    return sum(parts) == Decimal(case["expected"])


def in_advance(case: dict[str, Any], end: date) -> list[dict[str, Any]]:
    start, day = date.fromisoformat(case["start"]), case["bill_cycle_day"]
    month_end = (start.replace(day=28) + 4 * DAY).replace(day=1) - DAY
    anchor = start.replace(day=min(day, month_end.day))
    if case["period"] == "MONTHLY":
        anchor = date(start.year, 1, day)
    if case["period"] == "THIRTY_DAYS":
        anchor = start
    return periods(
        unit=CYCLES[case["period"]],
        anchor=anchor.isoformat(),
        start=start.isoformat(),
        end=end.isoformat(),
        billed="in_advance",
    )


# OpenMeter and the zones


def clocks(case: dict[str, Any]) -> bool:
    return {
        "day_windows": day_windows,
        "calendar_month": calendar_month,
        "anchored_month_period_at": anchored_at,
        "add_duration": duration_added,
        "anniversary_31": anniversary,
    }[case["kind"]](case)


def day_windows(case: dict[str, Any]) -> bool:
    first = date.fromisoformat(case["first_day"])
    end = first + case["days"] * DAY
    found = periods(unit="day", zone=case["zone"], start=f"{first}", end=f"{end}")
    return [shown(each) for each in found] == [
        (moment(each["start_utc"]), moment(each["end_utc"]), each["hours"]) for each in case["windows"]
    ]


def calendar_month(case: dict[str, Any]) -> bool:
    first = date.fromisoformat(f"{case['month']}-01")
    (found,) = periods(unit="month", zone=case["zone"], start=f"{first}", end=f"{(first + 31 * DAY).replace(day=1)}")
    return shown(found) == (moment(case["start_utc"]), moment(case["end_utc"]), case["hours"])


def shown(each: dict[str, Any]) -> tuple[datetime, datetime, float]:
    return moment(each["from"]), moment(each["to"]), each["seconds"] / 3600


def anchored_at(case: dict[str, Any]) -> bool:
    found = holding(case["at"], anchor=case["anchor"], start=case["anchor"])
    return (found["from"], found["to"]) == (case["expected_from"], case["expected_to"])


def duration_added(case: dict[str, Any]) -> bool:
    letters, start = {"D": "day", "W": "week", "M": "month", "Y": "year"}, moment(case["start"])
    count, letter = case["duration"][1:-1], case["duration"][-1]
    if not count.isdigit():
        return False
    found = periods(
        unit=letters[letter],
        count=int(count),
        anchor=case["start"],
        start=case["start"],
        end=(start + FAR).isoformat(),
    )
    return bool(found[0]["to"] == case["expected"])


def anniversary(case: dict[str, Any]) -> bool:
    day = moment(case["subscribed"]).date()
    found = periods(unit="month", anchor=f"{day}", start=f"{day}", end=f"{day + FAR}")
    billed = [each for each in found if each["billed_at"] <= case["biller_runs"]][-1]
    last_second = moment(billed["to"]) - SECOND
    return (moment(billed["from"]), last_second) == (
        moment(case["expected_from"]),
        moment(case["expected_to_inclusive"]),
    )


def holding(at: str, *, anchor: str, start: str) -> dict[str, Any]:
    found = periods(unit="month", anchor=anchor, start=start, end=(moment(start) + FAR).isoformat())
    return next(each for each in found if moment(each["from"]) <= moment(at) < moment(each["to"]))


@pytest.mark.parametrize("case", cases())
def test_periods_come_out_as_their_source_says(case: dict[str, Any]) -> None:
    follows = lago if "inputs" in case else killbill if case["id"].startswith("killbill-") else clocks
    assert follows(case) == (case["id"] not in NOT_FOLLOWED), NOT_FOLLOWED.get(case["id"], case)


def test_every_case_that_is_not_followed_is_there() -> None:
    assert set(NOT_FOLLOWED) <= {case.values[0]["id"] for case in cases()}
