"""Values of registers that share one list of codes: what a record of many readings holds, without a dictionary each."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeGuard


class Values(Mapping[str, int]):
    """Register code -> value, by position; equal to any mapping that says the same."""

    __slots__ = ("codes", "values_in_order")

    def __init__(self, codes: Sequence[str], values_in_order: Sequence[int]) -> None:
        self.codes, self.values_in_order = codes, values_in_order

    def __getitem__(self, code: str) -> int:
        try:
            return self.values_in_order[self.codes.index(code)]
        except ValueError:
            raise KeyError(code) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.codes)

    def __len__(self) -> int:
        return len(self.codes)

    def __repr__(self) -> str:
        return repr(dict(self))


def is_laid_out(registers: Mapping[str, int], codes: Sequence[str]) -> TypeGuard[Values]:
    """Whether the values lie in the order of `codes` already."""
    # Not isinstance: of an abstract class it asks far and wide, and this is asked once a reading.
    return type(registers) is Values and registers.codes == codes


def columns(registers: Mapping[str, int]) -> tuple[Sequence[str], Sequence[int]]:
    """Codes and values in one order, without a copy where they lie so already."""
    if type(registers) is Values:
        return registers.codes, registers.values_in_order
    return tuple(registers), tuple(registers.values())
