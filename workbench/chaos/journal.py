"""What the machine's server said of itself during a run, and what an agent may have missed of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workbench.chaos.truth import Stretch


@dataclass(frozen=True, slots=True)
class Journal:
    """`losses`: the stretches in which something may have been lost, because a server that was killed took its queue
    along or because a queue was full, or because the agent's file was damaged. `boots`: how often the server was
    started. `anew`: from which moment on an agent whose file was replaced knew no more than its last reading, and when
    it read the machine's own counters again."""

    losses: tuple[Stretch, ...]
    boots: int
    overflows: int
    anew: tuple[Stretch, ...] = ()

    def explains(self, gap: Stretch) -> bool:
        """Whether everything in `gap` lies in stretches that may have been lost."""
        begin, end = gap
        for start, until in sorted(self.losses):
            if start <= begin < until:
                begin = until
        return begin >= end


def read(file: Path, frames: Sequence[int]) -> Journal:
    return parse(file.read_text().splitlines(), frames)


def parse(lines: Iterable[str], frames: Sequence[int] = ()) -> Journal:
    """The journal of `machine`; a line that a kill cut short is not there. `frames`: the machine's moments, rising.

    What an agent acknowledged it has. From its last acknowledgement at a server that was killed then to the first
    values of the next subscription that it acknowledged anything of, it may have lost everything. Likewise from the
    last reading that the service had when the agent's file was damaged; where it goes on with the subscription that it
    had, to the first moment that was not acknowledged then.
    """
    damage = _Damage()
    losses: list[Stretch] = []
    anew: tuple[Stretch, ...] = ()
    begun: dict[str, int] = {}
    boots = overflows = acked = boot_of_acked = 0
    for line in lines:
        match line.split():
            case ["boot", _]:
                boots, begun = boots + 1, {}
            case ["born", number, at]:
                begun[number] = int(at)
                damage.born.add(number)
            case ["damaged", after]:
                damage = _Damage(int(after), resumes=next((one for one in frames if one > acked), acked))
            case ["recovered"]:
                damage = _Damage(damage.after, recovered=True)
            case ["acked", number, at]:
                if damage.after and not damage.seen:
                    until = begun[number] if number in damage.born else damage.resumes
                    losses.append((damage.after, until))
                    anew += ((damage.after, until),) * damage.recovered
                    damage.seen = True
                if acked and boot_of_acked != boots:
                    losses.append((acked, begun[number]))
                acked, boot_of_acked = int(at), boots
            case ["dropped", _, after, until]:
                losses.append((int(after), int(until)))
                overflows += 1
    return Journal(_joined(losses), boots, overflows, anew)


@dataclass(slots=True)
class _Damage:
    """Of the agent's file: the last reading that the service had then, the first moment of the machine that no agent
    had acknowledged by then, the subscriptions made since, whether the file was replaced, and whether it read the
    machine again."""

    after: int = 0
    resumes: int = 0
    born: set[str] = field(default_factory=set)
    recovered: bool = False
    seen: bool = False


def _joined(stretches: Sequence[Stretch]) -> tuple[Stretch, ...]:
    """The same time as stretches that do not touch."""
    joined: list[Stretch] = []
    for begin, end in sorted(one for one in stretches if one[0] < one[1]):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return tuple(joined)
