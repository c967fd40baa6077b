"""A copy of a meter's raw telemetry, for the owner or an expert: Parquet files and the list of their segments."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from uuid import UUID

from metering.period import Period
from metering.telemetry.shelf import Shelf
from metering.telemetry.store import numbers_between
from metering.telemetry.stretch import Stored


class FolderThere(ValueError):
    """The folder to export to is there already: name a new one."""


def export_segments(
    shelf: Shelf, machine: UUID, meter: UUID, segments: Sequence[Stored], period: Period, folder: Path
) -> int:
    """Copy the files of `meter` for the UTC days that `period` touches; how many. FolderThere."""
    if folder.exists():
        raise FolderThere(f"{folder} is there already: name a new folder")
    first, last = period.start.date().isoformat(), period.end.date().isoformat()
    copied = 0
    folder.mkdir(parents=True)
    for day in shelf.days(machine):
        for one in shelf.files(machine, day) if first <= day <= last else ():
            if one.meter == str(meter):
                target = folder / f"machine={machine}" / f"day={day}"
                target.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(one.path, target / one.path.name)
                copied += 1
    manifest = {"segments": [asdict(one) for one in segments], "missing": numbers_between(segments)}
    (folder / "segments.json").write_text(json.dumps(manifest, indent=1) + "\n")
    return copied
