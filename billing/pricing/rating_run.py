"""One run of rating: the inputs, the exact totals per band, and the notes gathered on the way."""

from fractions import Fraction

from billing.money import Money
from billing.pricing.components import Heading
from billing.pricing.measured import Measured
from billing.pricing.proration import Proration, Share, share
from billing.pricing.rated import RatedLine
from billing.pricing.tariff import TariffVersion
from billing.pricing.totals import NO_BAND, by_band


class Run:
    """What the makers of lines share."""

    def __init__(self, tariff: TariffVersion, measured: Measured) -> None:
        self.tariff, self.measured, self.notes = tariff, measured, list[str]()
        self.totals, shared = by_band(tariff, measured)
        if shared:
            self.notes.append(f"{shared} slices cross a border between bands; their use was shared by time")
        if tariff.bands and NO_BAND in self.totals:
            self.notes.append("some use was timed by a clock not known to be right: priced without time of use")

    def share(self, rule: Proration) -> Share:
        """The part of a fixed amount that is owed for the time that the lease covered."""
        return share(rule, self.measured.period, self.measured.covered, self.measured.clock)

    def line(self, heading: Heading, exact: Fraction, working: tuple[str, ...]) -> RatedLine:
        """A line that is not rounded yet."""
        vat, zero = self.tariff.vat[heading.vat], Money(0, self.tariff.currency)
        return RatedLine(
            code=heading.code,
            description=heading.description,
            category=heading.category,
            vat_category=vat.category,
            vat_rate=vat.percent / 100,
            exact=exact,
            amount=zero,
            working=working,
        )
