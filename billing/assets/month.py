"""Calendar months as numbers that can be counted with: the grain of depreciation."""

import re
from dataclasses import dataclass

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


class UnreadableMonth(ValueError):
    """A month is written as 2026-02."""


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month; `number` counts months since the year 0."""

    number: int

    @classmethod
    def of(cls, text: str) -> "Month":
        """`text` such as 2026-02. Raises UnreadableMonth."""
        found = _MONTH.fullmatch(text)
        if not found:
            raise UnreadableMonth(f"{text!r} is no month; write it as 2026-02")
        return cls(int(found[1]) * 12 + int(found[2]) - 1)

    @property
    def year(self) -> int:
        return self.number // 12

    def __add__(self, months: int) -> "Month":
        return Month(self.number + months)

    def __sub__(self, other: "Month") -> int:
        return self.number - other.number

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number % 12 + 1:02}"
