"""`spindleshare bench ingest`: the way of readings into the service, and of usage out of it."""

import httpx

from workbench.bench.ingest import flat, monthly
from workbench.bench.ingest.box import check_all_stored, enrol
from workbench.bench.ingest.upload import CATCHING_UP, ONLINE, against_copy, against_verifying, bodies_of, upload
from workbench.bench.row import Row
from workbench.bench.service import Service, running_services

AGENTS = 4
STORED = 1_000_000
_STEP = 100_000


def run(runs: int, stored: int = STORED) -> list[Row]:
    """The rows; `stored` is how much is there already where the cost of an upload is looked at."""
    sizes = sorted({min(stored, _STEP), stored})
    with running_services(2 + len(sizes)) as (first, few, *many):
        return [
            *_throughput(first, runs),
            *flat.rows(few, list(zip(sizes, many, strict=True)), AGENTS, runs, flat.FLAT),
            *monthly.rows(first, runs),
        ]


def _throughput(service: Service, runs: int) -> list[Row]:
    with httpx.Client(base_url=service.url, timeout=60) as client:
        boxes = enrol(service.database, AGENTS)
        measured = []
        for measure, load in ((against_copy, CATCHING_UP), (against_verifying, ONLINE)):
            upload(client, boxes, load, bodies_of(boxes, load))
            measured.append(measure(service, client, boxes, runs, load))
        check_all_stored(service.database, boxes)
        return measured
