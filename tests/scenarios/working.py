"""What a metered day costs, worked out from the raw log with pandas alone: nothing of the product is used.

    python working.py mazak Mazak01-2018-05.txt.xz > given_a_busy_day_of_a_mazak/then.json
    python working.py model RECORDING.txt > given_a_day_of_the_model/then.json

The log is `UTC time|item|value`. A value holds until the item's next value; UNAVAILABLE ends it; when no line of the
listed items came for the grace time, nothing counts until the next line. Floats are used on purpose where the product
uses none: a second way of working must not share the first one's habits. Quantities are rounded to 4 places at the end.
"""

import json
import sys
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd


class Log(NamedTuple):
    """How to read one log: its day, grace, the names of its items, and which hours (UTC) each booking answers for."""

    day: str
    grace_ms: int
    zone: str
    names: dict[str, str]  # item -> speed1, load1, speed2, load2, x, y, z, power, execution or other
    speed_unit: float  # of one per minute
    load_unit: float  # of one per cent
    mm: dict[str, float]
    on: str
    running: str
    answered: dict[str, tuple[str, str]]
    local_days: dict[str, int]  # that the lease touches, of the two that the UTC day lies on


MAZAK = Log(
    day="2018-05-29",
    grace_ms=5000,
    zone="America/New_York",
    names={
        "power": "power", "execution": "execution", "mode": "mode", "Fact": "feed",
        "Srpm": "speed1", "Sload": "load1", "S2rpm": "speed2", "S2load": "load2",
        "Xabs": "x", "Yabs": "y", "Zabs": "z",
        "total_time": "total", "auto_time": "auto", "cut_time": "cut", "PartCountAct": "parts",
    },
    speed_unit=1, load_unit=1,
    mm={"x": 0.5, "y": 1, "z": 1},  # X is told as a diameter
    on="ON", running="ACTIVE",
    # Booked are 12:00-14:00 and 14:00-18:00; the second ran on without a break and answers for the quarter hour too.
    answered={"first": ("12:00", "14:00"), "second": ("14:00", "18:15")},
    local_days={"first": 1, "second": 1},  # the UTC day is 28 May 20:00 to 29 May 20:00 in New York
)  # fmt: skip
MODEL = Log(
    day="2026-05-12",
    grace_ms=30000,
    zone="Asia/Shanghai",
    names={
        "power": "power", "execution": "execution", "mode": "mode", "feed": "feed", "parts": "parts",
        "spindle.S1.speed": "speed1", "spindle.S1.load": "load1",
        "spindle.S2.speed": "speed2", "spindle.S2.load": "load2",
        "axis.X.position": "x", "axis.Y.position": "y", "axis.Z.position": "z",
        "counter.power_on": "total", "counter.auto": "auto", "counter.cut": "cut",
    },
    speed_unit=1000, load_unit=10,
    mm={"x": 0.001, "y": 0.001, "z": 0.001},
    on="true", running="active",
    # Booked as above; the machine ran up to the first slot from 08:30, and on after the second until 20:00.
    answered={"first": ("08:30", "14:00"), "second": ("14:00", "20:00")},
    local_days={"first": 1, "second": 2},  # the UTC day is 12 May 08:00 to 13 May 08:00 in Shanghai
)  # fmt: skip
LOGS = {"mazak": MAZAK, "model": MODEL}
BASE_FEE = Decimal("6970.83")
PRICES = {"runtime": "18.00", "tou-peak": "2.70", "tou-valley": "-2.70", "wear": "9.50", "travel": "5.70"}


def read(path: str, log: Log) -> pd.DataFrame:
    columns = ["time", "item", "value"]
    frame = pd.read_csv(path, sep="|", header=None, names=columns, usecols=[0, 1, 2], dtype=str, comment="#")
    frame = frame[frame.item.isin(log.names)].drop_duplicates()
    frame["item"] = frame.item.map(log.names)
    frame["time"] = pd.to_datetime(frame.time, format="ISO8601").dt.floor("ms")
    return frame.sort_values("time", kind="stable")


def states(frame: pd.DataFrame, log: Log) -> pd.DataFrame:
    """One row per instant at which anything was told, with every item's value from then on, within the day."""
    last = frame.groupby(["time", "item"], sort=False).value.last().unstack().sort_index()
    table = last.ffill().mask(last.ffill() == "UNAVAILABLE")
    start = pd.Timestamp(log.day, tz="UTC")
    table = table[(table.index >= start) & (table.index < start + pd.Timedelta(days=1))].copy()
    length = (table.index.to_series().shift(-1) - table.index).dt.total_seconds() * 1000
    table["ms"] = length.clip(upper=log.grace_ms).fillna(log.grace_ms).round().astype("int64")
    table["quarter"] = table.index.floor("15min")
    return table


def split_at_quarters(table: pd.DataFrame) -> pd.DataFrame:
    """Rows that run over the end of a quarter hour are divided there."""
    rest = (table.quarter + pd.Timedelta(minutes=15) - table.index).dt.total_seconds() * 1000
    over = table.ms - rest.round().astype("int64")
    tail = table[over > 0].copy()
    tail["ms"], tail["quarter"] = over[over > 0], tail.quarter + pd.Timedelta(minutes=15)
    table["ms"] = table.ms - over.clip(lower=0)
    return pd.concat([table, tail])


def quarters(table: pd.DataFrame, frame: pd.DataFrame, log: Log) -> pd.DataFrame:
    """Per quarter hour: program and spindle milliseconds, wear hours, travel in km."""
    on = table.power == log.on
    out = pd.DataFrame(index=pd.date_range(log.day, periods=96, freq="15min", tz="UTC"))
    speeds = {name: table[f"speed{name}"].astype(float).abs() / log.speed_unit for name in ("1", "2")}
    turning = {name: on & (speed > 0) for name, speed in speeds.items()}
    sums = {"spindle": turning["1"] | turning["2"], "program": on & (table.execution == log.running)}
    for name, condition in sums.items():
        out[name] = table.ms.where(condition, 0).groupby(table.quarter).sum()
    wear = 0.0
    for name, speed in speeds.items():
        load = table[f"load{name}"].astype(float).abs() / log.load_unit
        known = turning[name] & load.notna()
        cell_speed, cell_load = (speed / 250 + 0.5) // 1 * 250, (load / 5 + 0.5) // 1 * 5
        rate = cell_speed / 6000 * (0.4 + 0.6 * cell_load / 50) ** 3
        wear = wear + (table.ms * rate).where(known, 0).groupby(table.quarter).sum() / 3_600_000
    out["wear"] = wear
    out["km"] = sum(travel(frame, axis, log) * mm for axis, mm in log.mm.items()) / 1_000_000
    return out.fillna(0)


def travel(frame: pd.DataFrame, axis: str, log: Log) -> pd.Series:
    """Sum of absolute changes as told per quarter hour; across UNAVAILABLE there is no change."""
    told = frame[frame.item == axis].set_index("time").value
    moved = pd.to_numeric(told, errors="coerce").diff().abs()
    moved = moved[moved.index.floor("D") == pd.Timestamp(log.day, tz="UTC")]
    every = pd.date_range(log.day, periods=96, freq="15min", tz="UTC")
    return moved.groupby(moved.index.floor("15min")).sum().reindex(every, fill_value=0)


def places(value: float | Decimal, digits: int) -> Decimal:
    return Decimal(str(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def bill(rows: pd.DataFrame, zone: str) -> dict[str, object]:
    """A booking's lines: quantity x price, each rounded to the cent."""
    clock = rows.index.tz_convert(ZoneInfo(zone)).hour
    peak = ((clock >= 8) & (clock < 11)) | ((clock >= 18) & (clock < 21))
    valley = (clock >= 22) | (clock < 6)
    hours = rows.spindle / 3_600_000
    quantities = {
        "runtime": hours.sum(),
        "wear": rows.wear.sum(),
        "travel": rows.km.sum(),
        "tou-peak": hours[peak].sum(),
        "tou-valley": hours[valley].sum(),
    }
    lines = {
        code: {"quantity": str(places(used, 4)), "price": PRICES[code], "amount": str(amount(places(used, 4), code))}
        for code, used in quantities.items()
        if used
    }
    return {"quarter_hours_with_a_program": int((rows.program > 0).sum()), "lines": lines}


def amount(quantity: Decimal, code: str) -> Decimal:
    return places(quantity * Decimal(PRICES[code]), 2)


def main() -> None:
    log = LOGS[sys.argv[1]]
    frame = read(sys.argv[2], log)
    table = quarters(split_at_quarters(states(frame, log)), frame, log)
    parts = {
        name: table[
            (table.index >= pd.Timestamp(f"{log.day}T{start}Z")) & (table.index < pd.Timestamp(f"{log.day}T{end}Z"))
        ]
        for name, (start, end) in log.answered.items()
    }
    rest = table.drop(pd.concat(parts.values()).index)
    expected = {name: bill(rows, log.zone) for name, rows in parts.items()}
    for name, days in log.local_days.items():
        expected[name]["base"] = str(places(BASE_FEE * days / 2, 2))
    expected["outside any booking"] = bill(rest[rest.program > 0], log.zone)
    print(json.dumps(expected, indent=2))


if __name__ == "__main__":
    main()
