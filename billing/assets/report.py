"""A schedule as people read it: by month or year, with totals, and what was recovered beside what was booked."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Any

from billing.assets.schedule import Charge, Schedule
from billing.money import Money, minor_places, quantity, total

_RATE_PLACES = 10


@dataclass(frozen=True, slots=True)
class Row:
    """A component's month or calendar year: what the books opened with, charged and closed with."""

    component: str
    period: str
    opening: Money
    impairment: Money
    charge: Money
    closing: Money
    units: Decimal | None
    recovered: Money | None

    def to_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"component": self.component, "period": self.period}
        for name in ("opening", "impairment", "charge", "closing"):
            told[name] = str(getattr(self, name).decimal)
        if self.units is not None:
            told["units"] = f"{self.units:f}"
        if self.recovered is not None:
            told["recovered"] = str(self.recovered.decimal)
        return told


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a component's users paid by its price for a unit, and what its books charged for the same units."""

    component: str
    recovered: Money
    booked: Money

    @property
    def difference(self) -> Money:
        return self.recovered - self.booked


def rows(schedule: Schedule, *, yearly: bool) -> list[Row]:
    """The schedule's rows by component, then by month or calendar year."""

    def period(charge: Charge) -> tuple[str, str]:
        return charge.component, f"{charge.month.year:04}" if yearly else str(charge.month)

    return [_row(name, text, list(group)) for (name, text), group in groupby(schedule.charges, key=period)]


def recoveries(schedule: Schedule) -> list[Recovery]:
    """Recovered beside booked, for every component that has a price for a unit."""
    priced = [component.code for component in schedule.asset.components if component.price is not None]
    currency = schedule.asset.currency
    found = []
    for code in priced:
        own = [charge for charge in schedule.charges if charge.component == code]
        paid = total([charge.recovered for charge in own if charge.recovered is not None], currency)
        found.append(Recovery(code, paid, total([charge.charge for charge in own], currency)))
    return found


def to_json(schedule: Schedule, *, yearly: bool) -> dict[str, Any]:
    """Everything that is told, amounts as strings of major units."""
    asset = schedule.asset
    return {
        "asset": asset.code,
        "currency": asset.currency,
        "rows": [row.to_json() for row in rows(schedule, yearly=yearly)],
        "rates": rates(schedule),
        "disposals": [
            {
                "component": sale.component,
                "month": str(sale.month),
                "carrying": str(sale.carrying.decimal),
                "proceeds": str(sale.proceeds.decimal),
                "gain": str(sale.gain.decimal),
            }
            for sale in schedule.sales
        ],
        "recovery": [
            {
                "component": one.component,
                "recovered": str(one.recovered.decimal),
                "booked": str(one.booked.decimal),
                "difference": str(one.difference.decimal),
            }
            for one in recoveries(schedule)
        ],
        "totals": {name: str(amount.decimal) for name, amount in totals(schedule).items()},
    }


def rates(schedule: Schedule) -> list[dict[str, str]]:
    """What a unit of use is charged, from which month on, to ten places of the major unit."""
    found: list[dict[str, str]] = []
    asset = schedule.asset
    for code, charges in groupby(schedule.charges, key=lambda charge: charge.component):
        before = None
        for charge in charges:
            if charge.rate is not None and charge.rate != before:
                before = charge.rate
                rate = quantity(before / 10 ** minor_places(asset.currency), _RATE_PLACES)
                found.append({"component": code, "from": str(charge.month), "rate": f"{rate.normalize():f}"})
    return found


def totals(schedule: Schedule) -> dict[str, Money]:
    """Cost, what was charged and impaired, and what the books have at the schedule's end."""
    asset = schedule.asset
    cost = total([component.cost for component in asset.components], asset.currency)
    charged = total([charge.charge for charge in schedule.charges], asset.currency)
    impaired = total([charge.impairment for charge in schedule.charges], asset.currency)
    disposed = total([sale.carrying for sale in schedule.sales], asset.currency)
    return {
        "cost": cost,
        "charged": charged,
        "impaired": impaired,
        "disposed": disposed,
        "net_book_value": cost - charged - impaired - disposed,
    }


def _row(component: str, period: str, charges: list[Charge]) -> Row:
    currency = charges[0].charge.currency
    return Row(
        component=component,
        period=period,
        opening=charges[0].opening,
        impairment=total([charge.impairment for charge in charges], currency),
        charge=total([charge.charge for charge in charges], currency),
        closing=charges[-1].closing,
        units=_sum(charge.units for charge in charges),
        recovered=_paid(charges, currency),
    )


def _sum(units: Iterable[Decimal | None]) -> Decimal | None:
    known = [one for one in units if one is not None]
    return sum(known, Decimal(0)) if known else None


def _paid(charges: list[Charge], currency: str) -> Money | None:
    known = [charge.recovered for charge in charges if charge.recovered is not None]
    return total(known, currency) if known else None
