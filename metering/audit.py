"""What an auditor does with sealed texts, without any database: check them, and derive the usage from them alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from metering import chain, ocmf
from metering.chain import Fault, Passed
from metering.interval import RegisterFell
from metering.keyring import Keyring
from metering.ocmf import BadSignature, OcmfError, Sealed
from metering.usage import Usage, of_records


@dataclass(frozen=True, slots=True)
class Audited:
    """`usage` may be relied on when there are no `faults`."""

    faults: list[Fault]
    records: list[Sealed]
    usage: list[Usage]


def audit(
    texts: Sequence[str], *, keys: Keyring, earlier: Iterable[str] = (), passed: Sequence[Passed] = ()
) -> Audited:
    """Check a run of sealed texts of one meter and derive its usage from its first reading to its last.

    A run that does not begin the meter's life needs `earlier`: texts that tell each spectrum cell's value before it.
    They stand alone, so whether one was held back shows by the spectrum outgrowing the spindle's running time.

    `passed` are the gaps in the meter's chain that its owner accepted. After one, what a cell grew by within it shows
    only when the cell is told again, so that the spectrum may outgrow the running time without anything held back.
    """
    faults: list[Fault] = []
    before = _read(earlier, keys, faults)
    run = _read(texts, keys, faults)
    cells: dict[tuple[str, int], int] = {}
    for sealed in before:
        for reading in sealed.record.readings:
            cells.update(reading.spectrum)
    faults += _chain_faults(run, before, passed)
    usage: list[Usage] = []
    if run and not faults:
        try:
            usage = of_records([sealed.record for sealed in run], spectrum_before=cells)
        except RegisterFell as error:
            faults.append(Fault(run[0].record.pagination, str(error)))
        newest = run[-1].record.pagination
        if not any(gap.after < newest for gap in passed):
            faults += _outgrown(usage, newest)
    return Audited(faults, run, usage)


def _read(texts: Iterable[str], keys: Keyring, faults: list[Fault]) -> list[Sealed]:
    good: list[Sealed] = []
    for text in texts:
        try:
            good.append(ocmf.parse(text))
            ocmf.verify(good[-1], keys.of(good[-1].record.pagination))
        except OcmfError as error:
            faults.append(Fault(0, str(error)))
        except BadSignature as error:
            faults.append(Fault(good[-1].record.pagination, str(error)))
    return good


def _chain_faults(run: Sequence[Sealed], before: Sequence[Sealed], passed: Iterable[Passed]) -> list[Fault]:
    if not run:
        return []
    first = run[0].record
    strangers = [
        Fault(one.record.pagination, "an earlier record is of another meter, or not earlier")
        for one in before
        if one.record.meter != first.meter or one.record.pagination >= first.pagination
    ]
    if first.pagination == 1:
        return strangers + chain.walk(run, None, passed)
    return strangers + chain.walk(run[1:], chain.after(run[0]), passed)


def _outgrown(usage: Iterable[Usage], pagination: int) -> list[Fault]:
    """A spindle cannot be at speed and load for longer than it turned."""
    turned: dict[str, int] = {}
    spent: dict[str, int] = {}
    for quarter in usage:
        for (spindle, _), ms in quarter.spectrum.items():
            spent[spindle] = spent.get(spindle, 0) + ms
        for code, ms in _spindles(quarter.deltas):
            turned[code] = turned.get(code, 0) + ms
    return [
        Fault(pagination, f"the spectrum of {spindle} grew by {ms} ms, but it turned for {turned.get(spindle, 0)} ms")
        for spindle, ms in spent.items()
        if ms > turned.get(spindle, 0)
    ]


def _spindles(deltas: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    prefix = "spindle_on."
    return ((code.removeprefix(prefix), ms) for code, ms in deltas.items() if code.startswith(prefix))
