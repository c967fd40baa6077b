"""Where a meter's chain ends in the database, read under its agent's lock: what an upload is measured against."""

from collections.abc import Sequence
from dataclasses import dataclass

from metering.chain import Chain
from metering.interval import Step
from metering.layout import Layout
from metering.machine import Agent
from metering.reading import Reading


@dataclass(frozen=True, slots=True)
class End:
    """`agent` has the key and the trust that hold now. `cells` and `ms` are its spectrum, spelled by `layout`.

    `moment` holds the readings of the last moment, of which there is mostly one and at a meter's start none.
    """

    agent: Agent
    pagination: int
    digest: str
    layout: Layout
    cells: Sequence[int]
    ms: Sequence[int]
    moment: tuple[Step, ...]

    @property
    def last(self) -> Reading | None:
        return self.moment[-1].reading if self.moment else None

    def chain(self) -> Chain:
        """The same as the chain that records are appended to one by one."""
        spectrum = self.layout.spectrum(self.cells, self.ms)
        return Chain(str(self.agent.id), self.agent.meter_serial, self.pagination, self.digest, self.last, spectrum)
