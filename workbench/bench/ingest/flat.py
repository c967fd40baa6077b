"""What an upload costs where much is stored already, against where nearly nothing is."""

from collections.abc import Iterator, Sequence

import httpx

from workbench.bench.ingest.box import Box, check_all_stored, enrol, send
from workbench.bench.ingest.fill import fill
from workbench.bench.ingest.upload import Load, bodies_of, upload
from workbench.bench.row import Better, Row, compare
from workbench.bench.service import Service, tidy

GOAL = 1.25
FLEET = 100
"""Machines that what is stored is shared out over."""
_A_THOUSAND, _RECORDS = 1_000, 5
FLAT = Load(requests=4, records=5, readings=100)
_MICRO = 1_000_000


def rows(few: Service, many: Sequence[tuple[int, Service]], agents: int, runs: int, load: Load) -> Iterator[Row]:
    """A row for each (readings stored, service), all against a service that has about a thousand."""
    clients = {service.url: httpx.Client(base_url=service.url, timeout=60) for service in (few, *(s for _, s in many))}
    try:
        beginners = enrol(few.database, agents)
        client = clients[few.url]
        for box in beginners:
            readings = _A_THOUSAND // agents // _RECORDS
            send(client, box, box.requests(1, records=_RECORDS, readings=readings), records=_RECORDS)
        for stored, service in many:
            boxes = enrol(service.database, max(FLEET, agents))
            fill(service.database, boxes, stored)
            tidy(service)
            boxes = boxes[:agents]
            yield _row(stored, (client, beginners), (clients[service.url], boxes), runs, load)
            check_all_stored(service.database, boxes)
        check_all_stored(few.database, beginners)
    finally:
        for one in clients.values():
            one.close()


def _row(
    stored: int, few: tuple[httpx.Client, list[Box]], many: tuple[httpx.Client, list[Box]], runs: int, load: Load
) -> Row:
    # The first upload to a filled database finds nothing of it in memory.
    for client, boxes in (many, few):
        upload(client, boxes, load, bodies_of(boxes, load))
    bodies = [(bodies_of(many[1], load), bodies_of(few[1], load)) for _ in range(runs)]
    return compare(
        f"ingest, {stored:,} stored",
        ours=lambda number: _MICRO / upload(*many, load, bodies[number][0]),
        limit=lambda number: _MICRO / upload(*few, load, bodies[number][1]),
        unit="µs/reading",
        goal=GOAL,
        better=Better.LOWER,
        runs=runs,
        how=f"ours: {len(many[1])} agents at once send requests as in the first row to a service with {stored:,} "
        f"readings of {FLEET} machines stored, theirs among them; limit: the same to a service with a thousand at "
        "first, on the same PostgreSQL, in turn",
    )
