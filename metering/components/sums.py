"""The statements that sum stored usage for wear: years of quarter hours without carrying each to the service.

They give what `use.use_of` gives of the same quarter hours; turns are in 1/60 of 1/1000 revolution, as there.
"""

# ruff: noqa: S608 (only constants of this project are put together here)

from metering.spectrum import SPEED_STEP_PER_MIN

KNOWN_NOW = "superseded_at IS NULL"
KNOWN_THEN = "recorded_at <= :known_at AND (superseded_at IS NULL OR superseded_at > :known_at)"
# A meter's quarter hours count while it is on the machine: see metering.fitting.
_FITTED = (
    "until_at > coalesce(CAST(:since AS timestamptz), '-infinity') "
    "AND from_at < coalesce(CAST(:until AS timestamptz), 'infinity')"
)
_ROWS = f"FROM usage WHERE meter_id = :meter AND starts_at >= :start AND starts_at < :end AND {_FITTED} AND {{known}}"
# A stored cell is the spindle's place above 17 bits of the cell's key, whose upper part is the speed class.
_SPEED = f"((cell & 131071) >> 8) * {SPEED_STEP_PER_MIN}"
_DOUBT = SPEED_STEP_PER_MIN // 2

REGISTERS = f"""
    SELECT d.place, sum(d.grown)::bigint FROM (SELECT deltas {_ROWS}) AS q
    CROSS JOIN LATERAL unnest(q.deltas) WITH ORDINALITY AS d(grown, place) GROUP BY d.place ORDER BY d.place
"""
SPECTRUM = f"""
    SELECT c.cell, sum(c.ms)::bigint FROM (SELECT spectrum_cells, spectrum_ms {_ROWS}) AS q
    CROSS JOIN LATERAL unnest(q.spectrum_cells, q.spectrum_ms) AS c(cell, ms)
    GROUP BY c.cell HAVING sum(c.ms) > 0 ORDER BY c.cell
"""
_LENGTH = "(extract(epoch FROM until_at - from_at) * 1000)::bigint"
WATCHED = f"""
    SELECT coalesce(sum({_LENGTH}), 0)::bigint, coalesce(sum({_LENGTH}) FILTER (WHERE substitute), 0)::bigint {_ROWS}
"""
NEWEST = "SELECT max(until_at) FROM usage WHERE meter_id = ANY(:meters) AND {known}"
LACKING = f"""
    SELECT sum(q.spun - c.ms)::bigint,
        sum(greatest(q.turns - c.turns - {_DOUBT} * c.ms, 0))::bigint,
        sum(greatest(least(q.turns - c.turns + {_DOUBT} * c.ms, q.turns), 0))::bigint,
        count(*) FILTER (WHERE q.turns IS NULL)
    FROM (
        SELECT coalesce(deltas[:on_place], 0) AS spun, 60 * deltas[nullif(:turns_place, 0)] AS turns,
            spectrum_cells, spectrum_ms {_ROWS}
    ) AS q CROSS JOIN LATERAL (
        SELECT coalesce(sum(ms), 0) AS ms, coalesce(sum(ms * {_SPEED}), 0) AS turns
        FROM unnest(q.spectrum_cells, q.spectrum_ms) AS cells(cell, ms) WHERE cell >> 17 = :spindle
    ) AS c WHERE q.spun > c.ms
"""
