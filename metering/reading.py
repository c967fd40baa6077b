"""Readings: numbered snapshots of a meter's registers; records: what an agent seals under one signature."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from metering.period import Period


class TimeQuality(StrEnum):
    """How far the reading's clock can be trusted (OCMF TM)."""

    UNKNOWN = "U"
    INFORMATIVE = "I"
    SYNCHRONISED = "S"
    RELATIVE = "R"


class Reason(StrEnum):
    """Why the reading was taken (OCMF TX)."""

    BEGIN = "B"
    DURING = "C"
    EXCEPTION = "X"
    END = "E"
    TARIFF_CHANGE = "T"
    POWER_FAIL = "P"


class Status(StrEnum):
    """The meter's state at the reading (OCMF ST)."""

    GOOD = "G"
    TIMEOUT = "T"
    MANIPULATED = "M"
    SUBSTITUTE = "S"


@dataclass(frozen=True, slots=True)
class Reading:
    """The registers at one moment.

    `sequence` counts a meter's readings from 1 without a hole. `device_time` is the source's clock in UTC with
    milliseconds. `registers` holds every register's cumulative value; `spectrum` only the load-spectrum cells that
    changed since the reading before, each with its cumulative milliseconds. `gap` is the stretch since the reading
    before in which the source was not proven alive, when there was one. `session` is the id of the session that the
    reading begins or ends.
    """

    sequence: int
    device_time: datetime
    time_quality: TimeQuality
    reason: Reason
    status: Status
    registers: Mapping[str, int]
    spectrum: Mapping[tuple[str, int], int] = field(default_factory=dict)
    gap: Period | None = None
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clocks at a record's sealing; the source's own is in the readings.

    `wall` is the agent's wall clock in UTC with milliseconds, `monotonic_ms` its clock that is never set, which says
    something only beside others of the same `boot`. `source_ahead_ms` is the source's clock less the wall clock, None
    where it could not be told. `wall_step_ms` and `source_step_ms` say how far a clock moved against the monotonic one
    since the record before, where that was more than clocks drift; else 0.
    """

    wall: datetime
    monotonic_ms: int
    boot: str
    source_ahead_ms: int | None = None
    wall_step_ms: int = 0
    source_step_ms: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """What is sealed at once: one or more readings of one meter.

    `pagination` counts a meter's records from 1 without a hole; `previous` is the SHA-256 (hex) of the record before,
    `GENESIS` for the first. `replayed` marks a recording played back instead of a machine at work. All readings hold
    the same registers. `recovered`, in order: stretches before the last reading that were missed, and read from the
    machine's own history afterwards.
    """

    agent: str
    meter: str
    machine_model: str
    pagination: int
    previous: str
    replayed: bool
    readings: Sequence[Reading]
    clocks: Clocks
    recovered: Sequence[Period] = ()


GENESIS = "0" * 64
"""The link of a meter's first record, which has no predecessor."""
