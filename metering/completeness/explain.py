"""What explains the use of a machine outside bookings, quarter hour by quarter hour.

In this order: what the owner declared; time that the source was not proven alive; warm-up, maintenance and dry run as
the machine reports them; a machine switched on without a program; a stretch without readings whose use is spread by
time. What is left ran a program, and nobody says for whom: it is unexplained.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from metering.completeness.balance import Kind, Share, joined
from metering.completeness.declaration import Declaration
from metering.register import billable_twin
from metering.usage import Usage, ran

_UNKNOWN = "unknown"
_EXEMPT = {"maintenance": "maintenance", "warm_up": "warm-up", "dry_run": "dry run"}
_NAMES = {
    Kind.IDLE: "switched on, no program",
    Kind.GAP: "machine not proven alive",
    Kind.SUBSTITUTE: "spread over a stretch without readings",
    Kind.OUTSIDE: "a program ran, nobody had booked",
}


def explain(usage: Iterable[Usage], declared: Iterable[Declaration] = ()) -> list[Share]:
    """Shares of the quarter hours that no booking answers for; their growths sum up to what the rows grew.

    A row in which nothing grew needs no explanation.
    """
    known = sorted(declared, key=lambda each: each.period)
    return joined([share for row in usage for share in _shares(row, known)])


def _shares(row: Usage, declared: list[Declaration]) -> Iterator[Share]:
    said = next((each for each in declared if each.period.overlaps(row.period)), None)
    if said:
        yield _share(row, Kind.DECLARED, row.deltas, said.kind.label, key=str(said.id))
        return
    exempt, rest = _exempt(row.deltas)
    unknown = {code: rest.pop(code) for code in [*rest] if code == _UNKNOWN and rest[code]}
    if unknown:
        yield _share(row, Kind.GAP, unknown, _NAMES[Kind.GAP])
    if any(exempt.values()):
        yield _share(row, Kind.EXEMPT, exempt, _reported(row.deltas))
    if any(rest.values()):
        kind = Kind.SUBSTITUTE if row.substitute else Kind.OUTSIDE if ran(rest) else Kind.IDLE
        yield _share(row, kind, rest, _NAMES[kind])


def _share(row: Usage, kind: Kind, deltas: Mapping[str, int], name: str, *, key: str = "") -> Share:
    share = Share(kind, key, name, row.period, deltas, row.evidence)
    return replace(share, substitute=row.substitute, unsynchronised=row.unsynchronised, replayed=row.replayed)


def _exempt(deltas: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """What grew in warm-up, maintenance and dry run, and what grew outside of them.

    A runtime register is split exactly, by its billable twin. One without a twin cannot be: it follows the runtime,
    and counts as exempt only where no runtime is left.
    """
    exempt: dict[str, int] = {}
    rest: dict[str, int] = {}
    alone: dict[str, int] = {}
    for code, value in deltas.items():
        twin = billable_twin(code)
        if code in _EXEMPT:
            exempt[code] = value
        elif twin is not None and twin in deltas:
            # Spread over a stretch, a twin may be a unit above its register: nothing explains less than nothing.
            exempt[code] = max(value - deltas[twin], 0)
            rest[code] = value - exempt[code]
        elif code.startswith("billable_") or code == _UNKNOWN:
            rest[code] = value
        else:
            alone[code] = value
    whole = any(exempt.values()) and ran(exempt) and not ran({**rest, **alone})
    (exempt if whole else rest).update(alone)
    return exempt, rest


def _reported(deltas: Mapping[str, int]) -> str:
    """By what the machine reported, such as "maintenance and warm-up"."""
    return " and ".join(name for code, name in _EXEMPT.items() if deltas.get(code)) or "warm-up, maintenance or dry run"
