"""The schedule of an asset: what each month is charged, and what the books say then.

Sources: units of production, straight line, declining balance, sum of years as in IAS 16.62; a change of estimate is
prospective (IAS 8.36); an impairment lowers the carrying amount and what is charged from then on (IAS 36.63).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from billing.assets.asset import Asset, AssetComponent, Disposal, Estimate, Event, Impairment
from billing.assets.methods import Stretch, UnitsOfProduction
from billing.assets.month import Month
from billing.money import Money, quantity

LONGEST = 1200
"""Months that a schedule may have: a hundred years."""


class ImpossibleEvent(ValueError):
    """Something happened to a component that cannot have: the message says what, when and why."""


@dataclass(frozen=True, slots=True)
class Charge:
    """A component's month in the books. `closing` = `opening` - `impairment` - `charge`.

    Only where use is charged: `rate`, exactly what a unit is charged, and `recovered`, what its users paid for them.
    """

    component: str
    month: Month
    opening: Money
    impairment: Money
    charge: Money
    closing: Money
    units: Decimal | None = None
    rate: Fraction | None = None
    recovered: Money | None = None


@dataclass(frozen=True, slots=True)
class Sale:
    """What a disposal brought beyond what the books said, or below it."""

    component: str | None
    month: Month
    carrying: Money
    proceeds: Money

    @property
    def gain(self) -> Money:
        return self.proceeds - self.carrying


@dataclass(frozen=True, slots=True)
class Schedule:
    """All charges in order of component and month, and the disposals."""

    asset: Asset
    charges: tuple[Charge, ...]
    sales: tuple[Sale, ...]


def schedule(asset: Asset) -> Schedule:
    """Every component's charges. Raises ImpossibleEvent."""
    charges = tuple(charge for component in asset.components for charge in _Book(asset, component).months())
    return Schedule(asset, charges, tuple(_sale(asset, event, charges) for event in _disposals(asset)))


def _disposals(asset: Asset) -> list[Disposal]:
    """Those that have happened by the schedule's end."""
    gone = (event for event in asset.events if isinstance(event, Disposal))
    return [event for event in gone if asset.until is None or event.month <= asset.until]


def _sale(asset: Asset, event: Disposal, charges: tuple[Charge, ...]) -> Sale:
    """The carrying amount is what the components that go had when the month began."""
    carrying = Money(0, asset.currency)
    for component in asset.components:
        if event.component in (component.code, None) and not _gone_before(asset, component.code, event):
            closings = [charge.closing for charge in charges if charge.component == component.code]
            carrying += closings[-1] if closings else component.cost
    return Sale(event.component, event.month, carrying, event.proceeds)


def _gone_before(asset: Asset, component: str, event: Disposal) -> bool:
    """Whether the component had been disposed of by an earlier event of its own."""
    return any(
        other.component == component and other.month <= event.month for other in _disposals(asset) if other is not event
    )


class _Book:
    """One component's way through its months."""

    def __init__(self, asset: Asset, component: AssetComponent) -> None:
        self._component, self._until = component, asset.until
        self._events = asset.events_of(component.code)
        self._value = component.cost.minor
        self._residual = component.residual.minor
        self._used = Fraction(0)
        self._last = max([component.first + -1, *component.use, *(event.month for event in self._events)])
        self._check()
        self._method = component.method
        self._open(component.first)

    def months(self) -> Iterator[Charge]:
        month = self._component.first
        while month - self._component.first < LONGEST and (self._until is None or month <= self._until):
            happened = [event for event in self._events if event.month == month]
            if any(isinstance(event, Disposal) for event in happened):
                return
            opening = self._value
            for event in happened:
                self._apply(event)
            impaired = opening - self._value
            charge = self._charge(month)
            if charge is None and month > self._last:
                return
            charge = charge or 0
            self._value -= charge
            yield self._row(month, opening, impaired, charge)
            month += 1

    def _open(self, month: Month) -> None:
        """A new stretch from `month` on."""
        residual = min(self._residual, self._value)
        elapsed = month - self._component.first
        self._stretch = Stretch(self._method, self._value, residual, elapsed, self._used)
        self._shares = self._stretch.charges() if not isinstance(self._method, UnitsOfProduction) else iter(())
        self._in_stretch, self._charged = Fraction(0), 0

    def _charge(self, month: Month) -> int | None:
        """What `month` is charged; None when nothing is left to come of it."""
        if not isinstance(self._method, UnitsOfProduction):
            return next(self._shares, None)
        if month > self._last:
            return None
        used = Fraction(self._component.use.get(month, Decimal(0)))
        charge = self._stretch.charge_for(used, self._in_stretch, self._charged)
        self._in_stretch += used
        self._used += used
        self._charged += charge
        return charge

    def _apply(self, event: Event) -> None:
        if isinstance(event, Impairment):
            if event.amount.minor > self._value:
                raise ImpossibleEvent(
                    f"{self._component.code} {event.month}: {event.amount} is more than the {self._money(self._value)} "
                    "that the books still have; impair by that or less"
                )
            self._value -= event.amount.minor
        if isinstance(event, Estimate):
            self._method = event.method or self._method
            if event.residual is not None:
                self._residual = event.residual.minor
        self._open(event.month)

    def _row(self, month: Month, opening: int, impaired: int, charge: int) -> Charge:
        row = Charge(
            component=self._component.code,
            month=month,
            opening=self._money(opening),
            impairment=self._money(impaired),
            charge=self._money(charge),
            closing=self._money(self._value),
        )
        if not isinstance(self._method, UnitsOfProduction):
            return row
        used = self._component.use.get(month, Decimal(0))
        price = self._component.price
        paid = None if price is None else Money.of(Fraction(quantity(used)) * Fraction(price), row.charge.currency)
        return replace(row, units=used, rate=self._stretch.rate, recovered=paid)

    def _money(self, minor: int) -> Money:
        return Money(minor, self._component.cost.currency)

    def _check(self) -> None:
        """Nothing before the first month, nothing after the end."""
        gone = [event.month for event in self._events if isinstance(event, Disposal)]
        for event in self._events:
            if event.month < self._component.first:
                raise ImpossibleEvent(
                    f"{self._component.code} {event.month}: before {self._component.first}, its first month"
                )
            if gone and event.month > gone[0] and event.component is not None:
                raise ImpossibleEvent(f"{self._component.code} {event.month}: it was disposed of in {gone[0]}")
        for month in self._component.use:
            if month < self._component.first or (gone and month >= gone[0]):
                raise ImpossibleEvent(f"{self._component.code} {month}: used outside the time in which it was there")
