"""What the machine's server said of itself during a run, and what an agent may have missed of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.chaos.truth import Stretch


@dataclass(frozen=True, slots=True)
class Journal:
    """`losses`: the stretches in which something may have been lost, because a server that was killed took its queue
    along or because a queue was full. `boots`: how often the server was started."""

    losses: tuple[Stretch, ...]
    boots: int
    overflows: int

    def explains(self, gap: Stretch) -> bool:
        """Whether everything in `gap` lies in stretches that may have been lost."""
        begin, end = gap
        for start, until in sorted(self.losses):
            if start <= begin < until:
                begin = until
        return begin >= end


def read(file: Path) -> Journal:
    return parse(file.read_text().splitlines())


def parse(lines: Iterable[str]) -> Journal:
    """The journal of `machine`; a line that a kill cut short is not there.

    What an agent acknowledged it has. From its last acknowledgement at a server that was killed then to the first
    values of the next subscription that it acknowledged anything of, it may have lost everything.
    """
    losses: list[Stretch] = []
    begun: dict[str, int] = {}
    boots = overflows = acked = boot_of_acked = 0
    for line in lines:
        match line.split():
            case ["boot", _]:
                boots, begun = boots + 1, {}
            case ["born", number, at]:
                begun[number] = int(at)
            case ["acked", number, at]:
                if acked and boot_of_acked != boots:
                    losses.append((acked, begun[number]))
                acked, boot_of_acked = int(at), boots
            case ["dropped", _, after, until]:
                losses.append((int(after), int(until)))
                overflows += 1
    return Journal(_joined(losses), boots, overflows)


def _joined(stretches: Sequence[Stretch]) -> tuple[Stretch, ...]:
    """The same time as stretches that do not touch."""
    joined: list[Stretch] = []
    for begin, end in sorted(one for one in stretches if one[0] < one[1]):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return tuple(joined)
