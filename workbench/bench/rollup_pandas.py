"""The same roll-up in plain pandas, as one would write it for one machine's files."""

from collections.abc import Iterator
from typing import TypeAlias

import pandas as pd

from metering.telemetry.rollup import Batch, Row
from metering.telemetry.stretch import Stretch
from workbench.bench.telemetry_data import SILENCE_MS

_QUARTER_MS = 900_000
_CUTTING_UM_S = 20_000
Frame: TypeAlias = "pd.DataFrame"


def roll_up_by_pandas(batch: Batch) -> list[Row]:
    """What rollup.sql gives for the benchmark's data (no counter, no opening, one policy)."""
    frame = pd.concat([pd.read_parquet(path) for path in batch.paths], ignore_index=True)
    rows: list[Row] = []
    for index, run in enumerate(batch.stretches):
        for quarter_ms, code, cell, value in _of_meter(frame[frame["meter"] == run.meter], run):
            if value > 0:
                rows.append((index, int(quarter_ms), code, cell, int(value)))
    return sorted(rows, key=lambda row: (*row[:3], -1 if row[3] is None else row[3]))


def _of_meter(frame: Frame, run: Stretch) -> Iterator[tuple[int, str, int | None, int]]:
    steps = _steps(frame, run)
    awake, quarter = steps["awake"], steps["quarter"]
    speeds = {name: steps[f"spindle.{name}.speed"] for name in ("S1", "S2")}
    turning = (speeds["S1"] > 0) | (speeds["S2"] > 0)
    active, automatic = steps["execution"] == 1, steps["mode"] == 1
    feeding = (steps["feed"] > 0) & (steps["feed"] <= _CUTTING_UM_S)
    conditions = {
        "power_on": steps["power"] == 1,
        "program_run": active,
        "auto_run": active & automatic,
        "cutting": active & turning & feeding,
        "spindle_on": turning,
        **{f"spindle_on.{name}": speed > 0 for name, speed in speeds.items()},
    }
    for code, holds in conditions.items():
        held = awake.where(holds, 0).groupby(quarter).sum()
        yield from _summed(code, held)
        yield from _summed(f"billable_{code}", held)
    yield from _summed("unknown", (steps["length"] - awake).groupby(quarter).sum())
    yield from _summed("starts", steps["starts"].groupby(quarter).sum())
    for name, speed in speeds.items():
        turned = (speed.clip(lower=0) * awake).groupby(quarter).sum().cumsum() // 60_000
        yield from _summed(f"revolutions.{name}", turned.diff().fillna(turned).astype("int64"))
        load = steps[f"spindle.{name}.load"]
        in_cell = (speed > 0) & (load >= 0) & (awake > 0)
        cell = ((speed + 125_000) // 250_000).clip(upper=400) * 256 + ((load + 25) // 50).clip(upper=255)
        cells = pd.DataFrame({"at": quarter[in_cell], "cell": cell[in_cell], "ms": awake[in_cell]})
        for one in cells.groupby(["at", "cell"], as_index=False)["ms"].sum().itertuples(index=False):
            yield one.at, f"spectrum.{name}", int(one.cell), one.ms
    for axis in ("X", "Y", "Z"):
        yield from _summed(f"travel.{axis}", _travel(steps, f"axis.{axis}.position"))


def _steps(frame: Frame, run: Stretch) -> Frame:
    """Every observation and boundary with the values in force after it, and how long the source lived after it."""
    signals = sorted(frame["signal"].unique())
    valued = frame[["number", "word", "flag"]].notna().any(axis=1)
    number = frame["number"].fillna(0).astype("int64")
    value = number.where(~frame["signal"].str.startswith("spindle"), number.abs())
    value = value.mask(frame["flag"].notna(), frame["flag"].eq(True).astype("int64"))
    value = value.mask(frame["word"].notna(), frame["word"].isin(["automatic", "active"]).astype("int64"))
    life = (frame["source_us"] // 1000 + SILENCE_MS).where(valued, -(2**62))
    seen = pd.DataFrame({"at": frame["at_ms"], "row": frame["row"], "signal": frame["signal"], "life": life})
    for signal in signals:
        mine = frame["signal"] == signal
        none = -(2**60) if signal.startswith("axis") else -1
        seen[signal] = value.where(valued, none).where(mine)
    bounds = pd.DataFrame({"at": list(run.boundaries()), "row": -1, "life": -(2**62)})
    steps = pd.concat([seen, bounds], ignore_index=True).sort_values(["at", "row"], kind="stable", ignore_index=True)
    steps["starts"] = _starts(steps)
    for signal in signals:
        none = -(2**60) if signal.startswith("axis") else -1
        steps[signal] = steps[signal].ffill().fillna(none).astype("int64")
    is_known = {name: steps[name] != (-(2**60) if name.startswith("axis") else -1) for name in signals}
    known = pd.DataFrame(is_known).any(axis=1)
    steps["until"] = steps["life"].cummax()
    steps["length"] = steps["at"].shift(-1).fillna(steps["at"]).astype("int64") - steps["at"]
    alive = (steps["until"] - steps["at"]).clip(lower=0)
    steps["awake"] = steps["length"].where(steps["length"] < alive, alive).where(known, 0)
    steps["quarter"] = steps["at"] // _QUARTER_MS * _QUARTER_MS
    steps["lived"] = steps["awake"].cumsum().shift(1).fillna(0).astype("int64")
    return steps


def _starts(steps: Frame) -> "pd.Series[int]":
    """1 where a spindle begins to turn that was seen at rest before."""
    starts = pd.Series(0, index=steps.index)
    for name in ("spindle.S1.speed", "spindle.S2.speed"):
        speed = steps[name].dropna()
        starts[speed.index[(speed > 0) & (speed.shift(1) == 0)]] = 1
    return starts


def _travel(steps: Frame, signal: str) -> "pd.Series[int]":
    """Moves between two known positions with the source alive all the time between."""
    mine = steps[steps["signal"] == signal]
    before = mine.shift(1)
    moved = (mine[signal] - before[signal]).abs()
    known = (mine[signal] > -(2**60)) & (before[signal] > -(2**60))
    alive = (mine["lived"] - before["lived"]) == (mine["at"] - before["at"])
    return moved.where(known & alive, 0).groupby(mine["quarter"]).sum().astype("int64")


def _summed(code: str, sums: "pd.Series[int]") -> Iterator[tuple[int, str, int | None, int]]:
    for at_ms, value in sums.items():
        yield int(at_ms), code, None, int(value)  # type: ignore[call-overload]
