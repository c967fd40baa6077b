"""LEASE.json: a finance lease with equal payments, its schedule and what was said of it."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from billing.assets.annuity import Instalment, Terms, Timing, instalments, payment
from billing.assets.asset_json import currency_code, money
from billing.assets.month import Month, UnreadableMonth
from billing.assets.schedule import LONGEST
from billing.money import Money, minor_places, quantity
from billing.pricing.fields import Fields

_PER_YEAR = (1, 2, 4, 12)
_PAYMENT_PLACES = 8


@dataclass(frozen=True, slots=True)
class FinanceLease:
    """Its terms in `currency`; `first` is the month of the first period, `months` how long a period is."""

    currency: str
    terms: Terms
    first: Month | None
    months: int

    def schedule(self) -> list[Instalment]:
        return instalments(self.terms)

    def period(self, number: int) -> str:
        """The period's first month, or its number where no month is known."""
        return str(self.first + (number - 1) * self.months) if self.first else str(number)

    def to_json(self) -> dict[str, Any]:
        """Amounts as strings of major units; the exact payment to eight places."""
        rows = self.schedule()
        exact = payment(self.terms) / 10 ** minor_places(self.currency)
        return {
            "currency": self.currency,
            "payment": self._told(rows[0].payment),
            "payment_exact": f"{quantity(exact, _PAYMENT_PLACES):f}",
            "interest": self._told(sum(row.interest for row in rows)),
            "rows": [
                {
                    "period": self.period(row.number),
                    "opening": self._told(row.opening),
                    "payment": self._told(row.payment),
                    "interest": self._told(row.interest),
                    "principal": self._told(row.principal),
                    "closing": self._told(row.closing),
                }
                for row in rows
            ],
        }

    def _told(self, minor: int) -> str:
        return str(Money(minor, self.currency).decimal)


def finance_lease_from_json(value: object) -> FinanceLease:
    """The lease that LEASE.json describes. Raises InvalidInput with every wrong field."""
    fields = Fields(value, "a finance lease with value, rate, periods and timing")
    currency = currency_code(fields)
    financed, residual = money(fields, "value", currency), money(fields, "residual", currency, "0")
    percent = fields.decimal("yearly_rate_percent", least="0")
    periods, yearly = fields.integer("periods", least=1), fields.integer("periods_a_year", 12, least=1)
    timing = fields.text("timing", choices=[str(one.value) for one in Timing]) or Timing.ARREARS
    first = _first(fields)
    for wrong, name, message in (
        (periods > LONGEST, "periods", f"is more than {LONGEST}"),
        (yearly not in _PER_YEAR, "periods_a_year", "write 1, 2, 4 or 12"),
        (residual.minor > financed.minor, "residual", "is more than the value"),
    ):
        if wrong:
            fields.wrong(name, message)
    fields.done()
    rate = Fraction(percent) / 100 / yearly
    terms = Terms(financed.minor, residual.minor, rate, periods, Timing(timing))
    return FinanceLease(currency, terms, first, 12 // yearly)


def _first(fields: Fields) -> Month | None:
    text = fields.text("first_period", "")
    try:
        return Month.of(text) if text else None
    except UnreadableMonth as error:
        fields.wrong("first_period", str(error))
        return None
