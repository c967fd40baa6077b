"""The spectrum cells that the records of a batch tell (XL), as columns."""

import msgspec
import numpy as np
from msgspec import Raw

from metering.batch.block import Cells, integers
from metering.batch.numbers import Unusual
from metering.ocmf_fields import MAX_CELL_KEY, MAX_CELLS, is_spindle

_CELLS = msgspec.json.Decoder(list[dict[str, list[int]]])


def cells(pages: list[tuple[int, int, Raw | None]]) -> Cells:
    """The cells of records given as (place of the first reading, readings, XL).

    Unusual unless they are told as `ocmf_fields.read_cells` demands; OverflowError for a number beyond 64 bits.
    """
    places: list[int] = []
    names: list[str] = []
    sizes: list[int] = []
    flat: list[int] = []
    for first, count, raw in pages:
        if raw is None:
            continue
        told = _CELLS.decode(raw)
        if len(told) != count:
            raise Unusual("XL")
        for place, of_reading in enumerate(told, first):
            for spindle, numbers in of_reading.items():
                places.append(place)
                names.append(spindle)
                sizes.append(len(numbers))
                flat += numbers
    return _columns(places, names, sizes, flat)


def _columns(places: list[int], names: list[str], sizes: list[int], flat: list[int]) -> Cells:
    if sizes and (min(sizes) < 2 or max(sizes) > 2 * MAX_CELLS or any(size % 2 for size in sizes)):
        raise Unusual("XL")
    spindles = {name: number for number, name in enumerate(dict.fromkeys(names))}
    if not all(map(is_spindle, spindles)):
        raise Unusual("XL")
    pairs = integers(flat).reshape(-1, 2)
    keys, ms = pairs[:, 0], pairs[:, 1]
    lists = np.repeat(np.arange(len(sizes)), integers(sizes) // 2)
    falls = (lists[1:] == lists[:-1]) & (keys[1:] <= keys[:-1])
    if falls.any() or (pairs < 0).any() or (keys > MAX_CELL_KEY).any():
        raise Unusual("XL")
    which = integers([spindles[name] for name in names])
    return Cells(integers(places)[lists], tuple(spindles), which[lists], keys, ms)
