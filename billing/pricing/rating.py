"""Rating: the one function that turns measured use and a tariff into lines, VAT and a total.

Estimate, live cost, preview, invoice and the offline check all call `rate`. It is pure: same tariff and same measure,
same bill, bit for bit.
"""

from billing.pricing.components import Category
from billing.pricing.measured import Measured
from billing.pricing.rated import RatedBill, RatedLine, round_lines
from billing.pricing.rating_run import Run
from billing.pricing.tariff import TariffVersion
from billing.pricing.term_lines import base_fee, bounds, credit, events, fees
from billing.pricing.use_lines import use_lines

_ORDER = (Category.LEASE_FIXED, Category.ENERGY, Category.PENALTY, Category.SERVICE, Category.DEPOSIT)


def rate(tariff: TariffVersion, measured: Measured) -> RatedBill:
    """Everything that `measured` owes under `tariff`.

    Derived quantities are rounded HALF_UP to four places and shown so, then each line's money once, by the tariff's
    rounding policy. Raises `InvalidInput` when a slice names a band that the tariff does not have.
    """
    run = Run(tariff, measured)
    lines = [*base_fee(run), *use_lines(run), *credit(run), *fees(run), *events(run)]
    lines += bounds(run, lines)
    return RatedBill(
        tariff=tariff.code,
        version=tariff.version,
        tariff_digest=tariff.digest(),
        rounding=tariff.rounding,
        currency=tariff.currency,
        period=measured.period,
        zone=measured.zone,
        lines=round_lines(sorted(lines, key=_rank), tariff.rounding, tariff.currency),
        notes=tuple(dict.fromkeys(run.notes)),
    )


def _rank(line: RatedLine) -> int:
    """Lease first, then energy, penalties, services, deposits; within these the tariff's order."""
    return 0 if line.category is Category.LEASE_VARIABLE else _ORDER.index(line.category)
