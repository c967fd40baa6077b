"""A draft of a custom profile from what `discover` found, to be gone over by somebody who knows the machine."""

import json
from collections.abc import Iterable, Sequence

from machine_agents.units import signal_unit, unit_of_code

_HEAD = """# A draft: go over each entry with the machine's manual and its screens, delete what is wrong.
# The format: "Profiles" in machine_agents/README.md. Nothing below is metered before [source] profile names this file.

name = "custom"
description = "drafted by discover from {endpoint}"
trigger = "timestamp"
settle_ms = 2000
"""
_HEARTBEAT = """
[[signal]]
signal = "heartbeat"
path = "Server/ServerStatus/CurrentTime"
type = "time"
"""


def draft(endpoint: str, base: str, guesses: Sequence[tuple[str, str, str, str]]) -> str:
    """The text of a profile. `base`: a bundled profile to extend, or none. A guess: signal, node, path, unit.

    Two guesses for one signal are alternatives, in order; what has no known unit is written as a comment.
    """
    prefixes = _prefixes(node for _, node, _, _ in guesses)
    lines = [_HEAD.format(endpoint=endpoint.replace("\n", " "))]
    if base:
        lines.append(f"extends = {json.dumps(base)}\n")
    lines.append("\n[namespaces]\n" + "".join(f"{prefix} = {json.dumps(uri)}\n" for uri, prefix in prefixes.items()))
    if not base:
        lines.append(_HEARTBEAT)
    numbers: dict[str, int] = {}
    for signal, node, path, unit in guesses:
        hole = "spindle" if "{spindle}" in signal else "axis" if "{axis}" in signal else ""
        if hole:
            numbers[signal] = numbers.get(signal, 0) + 1
            signal = signal.replace("{" + hole + "}", f"{'S' if hole == 'spindle' else 'A'}{numbers[signal]}")
        lines.append(_entry(signal, node, path, unit, prefixes))
    return "".join(lines)


def _prefixes(nodes: Iterable[str]) -> dict[str, str]:
    uris = dict.fromkeys(node[4:].rpartition(";")[0] for node in nodes)
    return {uri: f"n{number}" for number, uri in enumerate(uris, 1)}


def _entry(signal: str, node: str, path: str, unit: str, prefixes: dict[str, str]) -> str:
    uri, _, identifier = node[4:].rpartition(";")
    wanted = signal_unit(signal)
    known = unit_of_code(unit)
    fits = wanted is None or (known is not None and known.dimension == wanted[0])
    text = f"[[signal]]\nsignal = {json.dumps(signal)}\nnode = {json.dumps(f'{prefixes[uri]}:{identifier}')}\n"
    text += 'type = "number"\n'
    if wanted is not None:
        text += f"unit = {json.dumps(unit if fits else '?')}\n"
    if fits:
        return f"\n# {' '.join(path.split())}\n{text}"
    asked = f"the node says no unit of {wanted[0]}; find out which it counts in" if wanted else ""
    return f"\n# {' '.join(path.split())}: {asked}\n" + "".join(f"# {line}\n" for line in text.splitlines())
