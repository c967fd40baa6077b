"""How a meter's registers and spectrum cells lie in stored arrays: by position, in a layout that only grows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from metering.reading import Reading
from metering.spectrum import Spectrum
from metering.values import Values, is_laid_out

KEY_BITS = 17
"""A spectrum cell is stored as its spindle's position, shifted by so many bits, and its key."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Position -> register code, and position -> spindle. A shorter array is an older one: what it lacks is zero."""

    codes: tuple[str, ...] = ()
    spindles: tuple[str, ...] = ()

    def with_readings(self, readings: Iterable[Reading]) -> "Layout":
        """The layout with the codes and spindles that `readings` bring added at its end."""
        codes, spindles = dict.fromkeys(self.codes), dict.fromkeys(self.spindles)
        for reading in readings:
            registers = reading.registers
            if not is_laid_out(registers, self.codes) and not registers.keys() <= codes.keys():
                codes.update(dict.fromkeys(reading.registers))
            for spindle, _ in reading.spectrum:
                spindles[spindle] = None
        return Layout(tuple(codes), tuple(spindles))

    def with_names(self, codes: Iterable[str], spindles: Iterable[str]) -> "Layout":
        """The layout with the codes and spindles that are new added at its end."""
        return Layout(tuple(dict.fromkeys((*self.codes, *codes))), tuple(dict.fromkeys((*self.spindles, *spindles))))

    def values(self, registers: Mapping[str, int]) -> Sequence[int]:
        if is_laid_out(registers, self.codes):
            return registers.values_in_order
        return [registers.get(code, 0) for code in self.codes]

    def registers(self, values: Sequence[int]) -> Values:
        return Values(self.codes[: len(values)], values)

    def cells(self, spectrum: Spectrum) -> tuple[list[int], list[int]]:
        """Spindle and cell in one integer each, rising; and their milliseconds."""
        if not spectrum:
            return [], []
        place = {spindle: index << KEY_BITS for index, spindle in enumerate(self.spindles)}
        flat = sorted((place[spindle] | key, ms) for (spindle, key), ms in spectrum.items())
        return [cell for cell, _ in flat], [ms for _, ms in flat]

    def spectrum(self, cells: Sequence[int], ms: Sequence[int]) -> dict[tuple[str, int], int]:
        mask = (1 << KEY_BITS) - 1
        return {(self.spindles[cell >> KEY_BITS], cell & mask): value for cell, value in zip(cells, ms, strict=True)}
