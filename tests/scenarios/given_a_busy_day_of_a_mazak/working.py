"""The expectation of this scenario, worked out from the raw log with pandas alone: nothing of the product is used.

    python working.py Mazak01-2018-05.txt.xz > then.json

The log is `UTC time|item|value`. A value holds until the item's next value; UNAVAILABLE ends it; when no line of the
listed items came for 5 s, nothing counts until the next line. Floats are used on purpose where the product uses none:
a second way of working must not share the first one's habits; everything is rounded to the product's 4 places.
"""

import json
import sys
from decimal import ROUND_HALF_UP, Decimal

import pandas as pd

DAY = "2018-05-29"
GRACE_MS = 5000
# Booked are 12:00-14:00 and 14:00-18:00; the second ran on without a break until 18:15 and answers for that too.
ANSWERED = {"first": ("12:00", "14:00"), "second": ("14:00", "18:15")}
PRICES = {"runtime": "18.00", "tou-peak": "2.70", "tou-valley": "-2.70", "wear": "9.50", "travel": "5.70"}
ITEMS = "power mode execution Srpm Sload S2rpm S2load Xabs Yabs Zabs Fact total_time auto_time cut_time PartCountAct"
HALVED = {"Xabs": 0.5, "Yabs": 1.0, "Zabs": 1.0}  # X is told as a diameter


def read(path: str) -> pd.DataFrame:
    names = ["time", "item", "value"]
    frame = pd.read_csv(path, sep="|", header=None, names=names, usecols=[0, 1, 2], dtype=str, comment="#")
    frame = frame[frame.item.isin(ITEMS.split())].drop_duplicates()
    frame["time"] = pd.to_datetime(frame.time, format="ISO8601").dt.floor("ms")
    return frame.sort_values("time", kind="stable")


def states(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per instant at which anything was told, with every item's value from then on, within the day."""
    last = frame.groupby(["time", "item"], sort=False).value.last().unstack().sort_index()
    table = last.ffill().mask(last.ffill() == "UNAVAILABLE")
    table = table.reindex(columns=ITEMS.split())
    start = pd.Timestamp(DAY, tz="UTC")
    table = table[(table.index >= start) & (table.index < start + pd.Timedelta(days=1))].copy()
    length = (table.index.to_series().shift(-1) - table.index).dt.total_seconds() * 1000
    table["ms"] = length.clip(upper=GRACE_MS).fillna(GRACE_MS).round().astype("int64")
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


def quarters(table: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Per quarter hour: program and spindle milliseconds, wear hours, travel in km."""
    on = table.power == "ON"
    out = pd.DataFrame(index=pd.date_range(DAY, periods=96, freq="15min", tz="UTC"))
    speeds = {name: table[f"{name}rpm"].astype(float).abs() for name in ("S", "S2")}
    turning = {name: on & (speed > 0) for name, speed in speeds.items()}
    either = turning["S"] | turning["S2"]
    sums = {"spindle": either, "program": on & (table.execution == "ACTIVE")}
    for name, condition in sums.items():
        out[name] = table.ms.where(condition, 0).groupby(table.quarter).sum()
    wear = 0.0
    for name, speed in speeds.items():
        load = table[f"{name}load"].astype(float).abs()
        known = turning[name] & load.notna()
        cell_speed, cell_load = (speed / 250 + 0.5) // 1 * 250, (load / 5 + 0.5) // 1 * 5
        rate = cell_speed / 6000 * (0.4 + 0.6 * cell_load / 50) ** 3
        wear = wear + (table.ms * rate).where(known, 0).groupby(table.quarter).sum() / 3_600_000
    out["wear"] = wear
    out["km"] = sum(travel(frame, item) * factor for item, factor in HALVED.items()) / 1_000_000
    return out.fillna(0)


def travel(frame: pd.DataFrame, item: str) -> pd.Series:
    """Sum of absolute changes in mm per quarter hour; across UNAVAILABLE there is no change."""
    told = frame[frame.item == item].set_index("time").value
    position = pd.to_numeric(told, errors="coerce")
    moved = position.diff().abs()
    moved = moved[moved.index.floor("D") == pd.Timestamp(DAY, tz="UTC")]
    every = pd.date_range(DAY, periods=96, freq="15min", tz="UTC")
    return moved.groupby(moved.index.floor("15min")).sum().reindex(every, fill_value=0)


def places(value: float | Decimal, digits: int) -> Decimal:
    return Decimal(str(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def bill(rows: pd.DataFrame) -> dict[str, object]:
    """A booking's lines: quantity x price, each rounded to the cent."""
    clock = rows.index.tz_convert("America/New_York").hour
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
    frame = read(sys.argv[1])
    table = quarters(split_at_quarters(states(frame)), frame)
    ran = table[table.program > 0]
    parts = {
        name: ran[(ran.index >= pd.Timestamp(f"{DAY}T{start}Z")) & (ran.index < pd.Timestamp(f"{DAY}T{end}Z"))]
        for name, (start, end) in ANSWERED.items()
    }
    outside = ran.drop(pd.concat(parts.values()).index)
    expected = {name: bill(rows) for name, rows in parts.items()}
    expected["outside any booking"] = bill(outside)
    print(json.dumps(expected, indent=2))


if __name__ == "__main__":
    main()
