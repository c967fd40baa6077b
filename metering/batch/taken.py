"""What was taken of an upload, ready to be stored: the same whether the batch was judged whole or record by record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from metering.batch.block import Block, Flags, Head, Integers, integers, letters, moment_of, ms_of
from metering.chain import Chain
from metering.interval import Step
from metering.layout import Layout
from metering.ocmf import Sealed
from metering.period import QUARTER_HOUR
from metering.reading import Reading, Reason, Status, TimeQuality

_QUARTER_MS = QUARTER_HOUR // (moment_of(1) - moment_of(0))
_GOOD = Status.GOOD.encode("ascii")


@dataclass(frozen=True, slots=True, eq=False)
class Growth:
    """What spectrum cells grew since the reading before: by the `places` of the readings, and within one by cell."""

    places: Integers
    cells: Integers
    ms: Integers


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """Records that follow on the chain's end, with their readings; and the spectrum after them.

    The block's `codes`, the cells of `growth` and those of the spectrum are all spelled by `layout`.
    """

    heads: tuple[Head, ...]
    first: int
    block: Block
    growth: Growth
    layout: Layout
    spectrum: tuple[list[int], list[int]]

    @property
    def last_sequence(self) -> int:
        return self.first + len(self.block) - 1

    def replayed(self) -> list[bool]:
        """For each reading whether it was played back."""
        return [head.replayed for head in self.heads for _ in range(head.count)]

    def steps(self) -> list[Step]:
        """The readings that quarter hours depend on, as `interval.thinned` picks them."""
        kept = np.flatnonzero(self._is_needed())
        grown = self._grown(kept)
        played = self.replayed()
        return [
            Step(self._reading(place), grown.get(index, {}), played[place]) for index, place in enumerate(kept.tolist())
        ]

    def _is_needed(self) -> Flags:
        """All but a good reading between two others of the same quarter hour, clock quality and origin."""
        times, count = self.block.times, len(self.block)
        needed = np.ones(count, dtype=np.bool_)
        if count < 3:
            return needed
        ends = (times[:-2] // _QUARTER_MS + 1) * _QUARTER_MS
        quality, played = letters(self.block.qualities), np.array(self.replayed())
        needed[1:-1] = ~(
            (times[1:-1] < times[2:])
            & (times[2:] <= ends)
            & (letters(self.block.statuses)[1:-1] == _GOOD)
            & (quality[1:-1] == quality[2:])
            & (played[1:-1] == played[2:])
        )
        return needed

    def _grown(self, kept: Integers) -> dict[int, dict[tuple[str, int], int]]:
        """Per kept reading what the cells grew since the one kept before."""
        growth = self.growth
        if not len(growth.places):
            return {}
        owners = np.searchsorted(kept, growth.places)
        order = np.lexsort((growth.cells, owners))
        owners, cells = owners[order], growth.cells[order]
        begins = np.flatnonzero(np.r_[True, (owners[1:] != owners[:-1]) | (cells[1:] != cells[:-1])])
        sums = np.add.reduceat(growth.ms[order], begins)
        grown: dict[int, dict[tuple[str, int], int]] = {}
        for owner, cell, ms in zip(owners[begins].tolist(), cells[begins].tolist(), sums.tolist(), strict=True):
            grown.setdefault(owner, {}).update(self.layout.spectrum([cell], [ms]))
        return grown

    def _reading(self, place: int) -> Reading:
        """One reading, without its spectrum."""
        block = self.block
        return Reading(
            sequence=self.first + place,
            device_time=moment_of(int(block.times[place])),
            time_quality=TimeQuality(chr(block.qualities[place])),
            reason=Reason(chr(block.reasons[place])),
            status=Status(chr(block.statuses[place])),
            registers=dict(zip(block.codes, block.values[place].tolist(), strict=True)),
            gap=block.gaps.get(place),
            session=block.sessions.get(place),
        )


def laid_out(block: Block, layout: Layout) -> Block:
    """The block with its registers in the layout's order; one that it does not hold is zero."""
    if block.codes == layout.codes:
        return block
    values = np.zeros((len(block), len(layout.codes)), dtype=np.int64)
    values[:, [layout.codes.index(code) for code in block.codes]] = block.values
    return replace(block, codes=layout.codes, values=values)


def of_records(
    accepted: Sequence[tuple[Sealed, Sequence[Mapping[tuple[str, int], int]]]], *, chain: Chain, layout: Layout
) -> Taken:
    """What was taken record by record, each with its readings' growth; `chain` is where they lead.

    `layout` is the stored one, which is widened by what the readings bring.
    """
    readings = [reading for sealed, _ in accepted for reading in sealed.record.readings]
    layout = layout.with_readings(readings)
    block = Block(
        times=integers([ms_of(one.device_time) for one in readings]),
        qualities="".join(one.time_quality for one in readings).encode("ascii"),
        reasons="".join(one.reason for one in readings).encode("ascii"),
        statuses="".join(one.status for one in readings).encode("ascii"),
        codes=layout.codes,
        values=integers([list(layout.values(one.registers)) for one in readings]),
        gaps={place: one.gap for place, one in enumerate(readings) if one.gap},
        sessions={place: one.session for place, one in enumerate(readings) if one.session is not None},
    )
    grown = [layout.cells(cells) for _, of_record in accepted for cells in of_record]
    growth = Growth(
        places=integers([place for place, (cells, _) in enumerate(grown) for _ in cells]),
        cells=integers([cell for cells, _ in grown for cell in cells]),
        ms=integers([one for _, ms in grown for one in ms]),
    )
    heads = tuple(_head(sealed) for sealed, _ in accepted)
    return Taken(heads, readings[0].sequence, block, growth, layout, layout.cells(chain.spectrum))


def _head(sealed: Sealed) -> Head:
    record = sealed.record
    return Head(
        text=sealed.text,
        digest=sealed.digest,
        agent=record.agent,
        meter=record.meter,
        pagination=record.pagination,
        previous=record.previous,
        replayed=record.replayed,
        first=record.readings[0].sequence,
        count=len(record.readings),
    )
