"""Items of a log by the names that adapters usually give them: the last resort, where no document says what is what.

Units are MTConnect's (mm/s, mm, 1/min, %, s), because nothing in a bare log tells them; whoever relies on the figures
gives the device's Devices document or a mapping file.
"""

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction

from machine_agents.item_mapping import Item, by_scale, by_words
from machine_agents.mtconnect_items import EXECUTION, MODE, POWER, UNAVAILABLE
from machine_agents.signal_codes import codes_of

_WORDS: tuple[tuple[str, str, Mapping[str, str | bool]], ...] = (
    (r"exec(ution)?(_?state)?|program_?status", "execution", EXECUTION),
    (r"(controller_?)?mode", "mode", MODE),
    (r"power(_?(state|status|on))?", "power", POWER),
    (r"avail(ability)?", "power", {"AVAILABLE": True}),
)
_NUMBERS: tuple[tuple[str, str, Fraction], ...] = (
    (r"s(pindle)?_?(?P<n>\d?)_?(rpm|speed|spd|velocity)(_?act(ual)?)?", "spindle.S{n}.speed", Fraction(1000)),
    (r"s(pindle)?_?(?P<n>\d?)_?load", "spindle.S{n}.load", Fraction(10)),
    (
        r"(?P<n>[xyzuvw]\d?)_?(abs|act(ual)?|pos(ition)?|mach(ine)?)(_?pos(ition)?)?",
        "axis.{n}.position",
        Fraction(1000),
    ),
    (r"(path_?)?f(eed)?(_?rate)?(_?act(ual)?)|path_?feed_?rate|feed_?rate|f_?act", "feed", Fraction(1000)),
    (r"(total|power_?on|powered)_?time", "counter.power_on", Fraction(1000)),
    (r"(auto|run|operating)_?time", "counter.auto", Fraction(1000)),
    (r"(cut|cutting)_?time", "counter.cut", Fraction(1000)),
    (r"part_?count(_?(act(ual)?|all))?", "parts", Fraction(1)),
)


def by_usual_names(names: Iterable[str]) -> dict[str, Item]:
    """Those of `names` that are known, each with its meaning; the first of two for one signal counts."""
    found: dict[str, Item] = {}
    taken: set[str] = set()
    for name in sorted(names, key=lambda one: (one.lower().startswith("avail"), one)):
        item = _item(name.rpartition(":")[2].lower())
        if item is not None and item.signal not in taken and codes_of(item.signal):
            found[name] = item
            taken.add(item.signal)
    return found


def _item(name: str) -> Item | None:
    for pattern, signal, words in _WORDS:
        if re.fullmatch(pattern, name):
            return Item(signal, by_words(dict(words), UNAVAILABLE))
    for pattern, signal, scale in _NUMBERS:
        if match := re.fullmatch(pattern, name):
            part = match.groupdict().get("n")
            return Item(signal.format(n=(part or "1").upper()), by_scale(scale, UNAVAILABLE))
    return None
