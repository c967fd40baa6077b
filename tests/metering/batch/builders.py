"""Runs of readings as agents seal them, and as none should: for the tests that hold the quick way to the definition."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st

from metering import ocmf
from metering.batch.end import End
from metering.interval import Step
from metering.layout import Layout
from metering.machine import Agent, agent_id, meter_id
from metering.ocmf import Sealed
from metering.parties.party import organisation_id
from metering.period import Period
from metering.reading import GENESIS, Clocks, Reading, Reason, Record, Status, TimeQuality
from tests.metering.builders import NOW, START

KEY = ocmf.new_key()
AGENT = Agent(
    id=agent_id("SM-1", "0"),
    meter_id=meter_id("SM-1"),
    owner_id=organisation_id("maker"),
    meter_serial="SM-1",
    machine_model="MT-1",
    name="box",
    version="1",
    public_key_pem=ocmf.public_to_pem(KEY.public_key()),
    fingerprint="",
    enrolled_at=NOW,
)
CODES = ("cutting", "energy", "spindle_on.S1", "travel.X", "parts")
_CELLS = [("S1", 5), ("S1", 6154), ("S2", 0), ("S2", 131_071)]
_MOMENTS = [
    timedelta(0),
    timedelta(milliseconds=1),
    timedelta(minutes=4),
    timedelta(minutes=7.5),
    timedelta(minutes=50),
]
_IN_RECORD = [Reason.DURING, Reason.DURING, Reason.DURING, Reason.EXCEPTION, Reason.TARIFF_CHANGE]
_GROWTH = st.one_of(st.just(0), st.integers(0, 10**5), st.integers(0, 10**16))


@st.composite
def runs(draw: st.DrawFn, *, most: int = 12, falls: bool = False) -> list[Reading]:
    """Readings from a meter's first on; with `falls` now and then time, a register or a cell goes back."""
    codes = draw(st.lists(st.sampled_from(CODES), min_size=1, max_size=len(CODES), unique=True))
    amount = st.one_of(_GROWTH, st.just(-1)) if falls else _GROWTH
    values, cells, at = dict.fromkeys(codes, 0), dict.fromkeys(_CELLS, 0), START
    readings: list[Reading] = []
    for sequence in range(1, draw(st.integers(1, most)) + 1):
        before, at = at, at + draw(st.sampled_from([*_MOMENTS, *([-timedelta(minutes=1)] if falls else [])]))
        values = {code: max(0, value + draw(amount)) for code, value in values.items()}
        told = draw(st.lists(st.sampled_from(_CELLS), max_size=3, unique=True))
        cells |= {cell: max(0, cells[cell] + draw(amount)) for cell in told}
        gap = Period(before, at) if at > before and draw(st.integers(0, 5)) == 0 else None
        if falls and gap is not None and draw(st.booleans()):
            gap = Period(before - timedelta(minutes=1), at)
        reason = Reason.BEGIN if sequence == 1 else draw(st.sampled_from(_IN_RECORD))
        readings.append(
            Reading(
                sequence=sequence,
                device_time=at,
                time_quality=draw(st.sampled_from([TimeQuality.SYNCHRONISED] * 3 + [TimeQuality.INFORMATIVE])),
                reason=reason,
                status=draw(st.sampled_from([Status.GOOD] * 3 + [Status.TIMEOUT])),
                registers=values,
                spectrum={cell: cells[cell] for cell in told},
                gap=gap,
                session="lease/1" if reason is Reason.BEGIN else None,
            )
        )
    return readings


def sealed_run(readings: Sequence[Reading], sizes: Sequence[int]) -> list[Sealed]:
    """`readings` in linked records of these sizes; the last one holds what is left."""
    sealed: list[Sealed] = []
    left = list(readings)
    for size in [*sizes, len(readings)]:
        if not left:
            break
        record = Record(
            agent=str(AGENT.id),
            meter=AGENT.meter_serial,
            machine_model=AGENT.machine_model,
            pagination=len(sealed) + 1,
            previous=sealed[-1].digest if sealed else GENESIS,
            replayed=len(sealed) % 3 == 2,
            readings=tuple(left[:size]),
            clocks=Clocks(left[0].device_time, 1000, "boot", None if len(sealed) % 2 else -5, len(sealed) % 2 * 7),
            recovered=[Period(left[0].device_time - timedelta(hours=1), left[0].device_time)] * (len(sealed) % 2),
        )
        sealed.append(ocmf.seal(record, KEY))
        left = left[size:]
    return sealed


def end_at(sealed: Sequence[Sealed], layout: Layout, spectrum: dict[tuple[str, int], int]) -> End:
    """Where a chain of `sealed` stands; its moment holds the last reading only."""
    cells, ms = layout.cells(spectrum)
    if not sealed:
        return End(AGENT, 0, GENESIS, layout, cells, ms, ())
    last = replace(sealed[-1].record.readings[-1], spectrum={}, session=None)
    return End(AGENT, sealed[-1].record.pagination, sealed[-1].digest, layout, cells, ms, (Step(last, {}),))
