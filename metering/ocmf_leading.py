"""The leading register: the one that each reading says in OCMF's own fields, so that any OCMF reader shows it.

A meter of energy leads with it, in the spelling that the public transparency software takes for law-relevant (OBIS
1-0:1.8.0, total active energy imported); any other with its first register in our own code and unit.
"""

from collections.abc import Sequence

from metering.ocmf_fields import unit_of

ENERGY = "energy"
_OBIS_TOTAL_IMPORT, _KWH = "01-00:01.08.00*FF", "kWh"
_MWH_DIGITS = 6


def leading(codes: Sequence[str]) -> tuple[int, str]:
    """The leading register's place among `codes`, and its code."""
    place = codes.index(ENERGY) if ENERGY in codes else 0
    return place, codes[place]


def identified(code: str) -> dict[str, str]:
    """OCMF's RI and RU of a leading register."""
    if code == ENERGY:
        return {"RI": _OBIS_TOTAL_IMPORT, "RU": _KWH}
    return {"RI": code, "RU": unit_of(code, "RI")}


def value_texts(code: str, values: Sequence[int]) -> list[str]:
    """RV as its number is written: kWh with all six decimals for energy, which is counted in mWh; else the integer."""
    if code != ENERGY:
        return list(map(str, values))
    padded = [str(value).zfill(_MWH_DIGITS + 1) for value in values]
    return [f"{text[:-_MWH_DIGITS]}.{text[-_MWH_DIGITS:]}" for text in padded]
