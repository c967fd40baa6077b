"""`spindleshare bench ingest`: the way of readings into the service, and of usage out of it."""

from collections.abc import Iterator

import httpx

from workbench.bench.ingest import flat, monthly
from workbench.bench.ingest.box import check_all_stored, enrol
from workbench.bench.ingest.upload import CATCHING_UP, ONLINE, against_copy, against_verifying, bodies_of, upload
from workbench.bench.row import Row
from workbench.bench.service import Service, running_services

AGENTS = 4
STORED = 1_000_000
_SMALLEST = 100_000


def run(runs: int, stored: int = STORED) -> Iterator[Row]:
    """The rows, each as soon as it is measured; `stored` is how much is there already where an upload's cost is looked
    at, and every power of ten from a hundred thousand below it too."""
    sizes = sizes_up_to(stored)
    with running_services(2 + len(sizes)) as (first, few, *many):
        yield from _throughput(first, runs)
        yield from monthly.rows(first, runs)
        yield from flat.rows(few, list(zip(sizes, many, strict=True)), AGENTS, runs, flat.FLAT)


def sizes_up_to(stored: int) -> list[int]:
    """Numbers of stored readings to measure at, rising, the last of them `stored`."""
    sizes = []
    size = _SMALLEST
    while size < stored:
        sizes.append(size)
        size *= 10
    return [*sizes, stored]


def _throughput(service: Service, runs: int) -> Iterator[Row]:
    with httpx.Client(base_url=service.url, timeout=60) as client:
        boxes = enrol(service.database, AGENTS)
        for measure, load in ((against_copy, CATCHING_UP), (against_verifying, ONLINE)):
            upload(client, boxes, load, bodies_of(boxes, load))
            row = measure(service, client, boxes, runs, load)
            check_all_stored(service.database, boxes)
            yield row
