"""`spindleshare bench rating`: what it prices is the product's own bill, and it can be run."""

import pytest

from workbench.bench.rating import rows
from workbench.bench.rating.generated import MONTH, length, month


def test_a_generated_month_is_whole_and_the_same_for_a_seed() -> None:
    one, again, other = (list(month(seed, "M")) for seed in (1, 1, 2))
    assert one == again != other
    assert len(one) == length()
    assert (one[0].period.start, one[-1].period.end) == (MONTH.start, MONTH.end)
    # Every price of the tariff has something to price: fee, runtime, adders, wear, travel, energy by band.
    assert {line.code for line in rows.bill_of(one).lines} >= {"runtime.1", "wear", "travel", "energy-peak"}


def test_it_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_FEW", 1)
    monkeypatch.setattr(rows, "_MANY_TIMES", 2)
    measured = list(rows.rate_leases(2, 2))
    assert [row.name for row in measured] == [
        "2 leases from the database",
        "time a lease, streamed",
        "memory, streamed",
    ]
    assert all(row.ours > 0 for row in measured)
