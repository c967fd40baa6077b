"""The computer that the agent runs on, as far as its clocks go."""

import ctypes
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_STA_UNSYNC, _TIME_ERROR = 0x0040, 5
_TIMEX_BYTES = 256  # more than the structure takes on any machine; all zeros asks without setting anything


@dataclass(frozen=True, slots=True)
class Host:
    """The host's clocks. `wall` is in UTC, `monotonic` counts seconds and is never set; `boot` names its zero.

    `synchronised` says whether the host keeps its wall clock by a time service: False also where that cannot be asked.
    """

    wall: Callable[[], datetime]
    monotonic: Callable[[], float]
    boot: str
    synchronised: Callable[[], bool]


def this_host(wall: Callable[[], datetime], monotonic: Callable[[], float]) -> Host:
    """The host that this process runs on."""
    return Host(wall, monotonic, _boot_id(), _synchronised)


def _boot_id() -> str:
    """The kernel's boot id; where there is none, one of this process, whose clocks then stand alone."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip() or str(uuid.uuid4())
    except (OSError, UnicodeDecodeError):
        return str(uuid.uuid4())


def _synchronised() -> bool:
    """What Linux' adjtimex says: time services keep its mark, setting the clock by hand takes it away."""
    if sys.platform != "linux":
        return False
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return False
    timex = (ctypes.c_uint * (_TIMEX_BYTES // 4))()
    state = adjtimex(timex)
    # struct timex: modes, offset, freq, maxerror, esterror, status; the longs take two places on 64-bit machines.
    status = timex[10 if ctypes.sizeof(ctypes.c_long) == 8 else 5]
    return 0 <= state != _TIME_ERROR and not status & _STA_UNSYNC
