"""One spindle: what it does now, and the cells of its load spectrum."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Spindle:
    """A spindle's present values, and its spectrum's cells with their cumulative milliseconds.

    Time of which the load is not known is in no cell: it is `spindle_on` less the sum of the cells.
    """

    speed: int | None = None
    load: int | None = None
    rest: int = 0
    cells: dict[int, int] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    rotating: bool | None = None
    as_axis: bool = False
    # Derived from the above by running.classify; not saved.
    turning: bool = False
    loaded: bool = False
    key: int | None = None

    @property
    def known(self) -> bool:
        """Whether it can be told if the spindle turns."""
        return self.speed is not None or self.rotating is not None

    @property
    def kind(self) -> tuple[bool, bool, bool, bool]:
        """What decides which registers run: turning, with a speed, with a load of cutting; known."""
        return self.turning, self.speed is not None, self.turning and self.loaded, self.known
