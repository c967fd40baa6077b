"""Whether a whole batch follows on a chain's end: the checks of `Chain.append`, on all records at once.

A batch in which anything is amiss, be it a record sent again, is left to the chain, which takes and refuses one by one.
"""

from collections.abc import Iterable

import numpy as np

from metering.batch.block import Batch, Block, Cells, Head, Integers, integers, ms_of
from metering.batch.end import End
from metering.batch.taken import Growth, Taken, laid_out
from metering.layout import KEY_BITS, Layout
from metering.reading import Reading, Reason, TimeQuality

_BEGIN, _RELATIVE = Reason.BEGIN.encode("ascii"), TimeQuality.RELATIVE.encode("ascii")


def follow(batch: Batch, end: End) -> Taken | None:
    """The batch, judged and ready to be stored; None where it has to be judged record by record."""
    if not (_links(batch.heads, end) and _begins(batch.block, end) and _rises(batch.block, end.last)):
        return None
    layout = end.layout.with_names(batch.block.codes, batch.cells.spindles)
    grown = _grown(batch.cells, layout, integers(end.cells), integers(end.ms))
    if grown is None:
        return None
    growth, spectrum = grown
    return Taken(batch.heads, batch.heads[0].first, laid_out(batch.block, layout), growth, layout, spectrum)


def _links(heads: Iterable[Head], end: End) -> bool:
    """Whether agent, meter, numbers and links go on from the end without a hole."""
    who = (str(end.agent.id), end.agent.meter_serial)
    pagination, digest, sequence = end.pagination, end.digest, end.last.sequence if end.last else 0
    for head in heads:
        pagination += 1
        if (head.agent, head.meter, head.pagination, head.previous) != (*who, pagination, digest):
            return False
        if head.first != sequence + 1:
            return False
        digest, sequence = head.digest, sequence + head.count
    return True


def _begins(block: Block, end: End) -> bool:
    """Whether a meter's first record begins it."""
    return bool(end.pagination) or (block.reasons[:1] == _BEGIN and block.qualities[:1] != _RELATIVE)


def _rises(block: Block, last: Reading | None) -> bool:
    """Whether time and registers never fall, and each gap lies between its reading and the one before."""
    times, values = block.times, block.values
    if (times[1:] < times[:-1]).any() or (values[1:] < values[:-1]).any():
        return False
    if last is not None:
        first = dict(zip(block.codes, values[0].tolist(), strict=True))
        if times[0] < ms_of(last.device_time) or any(
            first.get(code, 0) < told for code, told in last.registers.items()
        ):
            return False
    for place, gap in block.gaps.items():
        before = int(times[place - 1]) if place else ms_of(last.device_time) if last else None
        # A meter's very first reading has no predecessor that its gap could follow.
        if before is not None and not before <= ms_of(gap.start) < ms_of(gap.end) <= times[place]:
            return False
    return True


def _grown(
    cells: Cells, layout: Layout, known: Integers, known_ms: Integers
) -> tuple[Growth, tuple[list[int], list[int]]] | None:
    """What each reading's cells grew, and the spectrum after them; None where one fell."""
    place_of = integers([layout.spindles.index(name) for name in cells.spindles])
    cell = place_of[cells.which] << KEY_BITS | cells.keys
    order = np.lexsort((cells.places, cell))
    by_cell, ms = cell[order], cells.ms[order]
    is_first = np.ones(len(order), dtype=np.bool_)
    is_first[1:] = by_cell[1:] != by_cell[:-1]
    before = np.empty_like(ms)
    before[1:] = ms[:-1]
    before[is_first] = _known(by_cell[is_first], known, known_ms)
    grown = ms - before
    if (grown < 0).any():
        return None
    is_last = np.roll(is_first, -1)
    spectrum = _merged(known, known_ms, by_cell[is_last], ms[is_last])
    kept = grown > 0
    places, by_cell, grown = cells.places[order][kept], by_cell[kept], grown[kept]
    by_place = np.lexsort((by_cell, places))
    return Growth(places[by_place], by_cell[by_place], grown[by_place]), spectrum


def _known(cells: Integers, known: Integers, ms: Integers) -> Integers:
    """The cumulative milliseconds of `cells`, zero where one is new. `known` rises."""
    if not len(known):
        return np.zeros_like(cells)
    at = np.searchsorted(known, cells).clip(max=len(known) - 1)
    found: Integers = np.where(known[at] == cells, ms[at], 0)
    return found


def _merged(known: Integers, known_ms: Integers, cells: Integers, ms: Integers) -> tuple[list[int], list[int]]:
    """The spectrum with these cells' values, in rising order of the cells."""
    stay = ~np.isin(known, cells)
    all_cells, all_ms = np.concatenate((known[stay], cells)), np.concatenate((known_ms[stay], ms))
    order = np.argsort(all_cells)
    return all_cells[order].tolist(), all_ms[order].tolist()
