"""A fixed asset: its components, and what happened to them, as the books see it."""

from dataclasses import dataclass
from decimal import Decimal

from billing.assets.methods import Method
from billing.assets.month import Month
from billing.money import Money


@dataclass(frozen=True, slots=True)
class AssetComponent:
    """A part that is depreciated by itself: spindle, axes, structure.

    `use` has the units used in a month, for a method that goes by use. `price` is what a lessee pays for a unit
    (major units of currency), to set what was recovered beside what was booked.
    """

    code: str
    cost: Money
    residual: Money
    method: Method
    first: Month
    use: dict[Month, Decimal]
    price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A change of estimate: from `month` on another method, life or residual; what is None stays as it is."""

    component: str
    month: Month
    method: Method | None = None
    residual: Money | None = None


@dataclass(frozen=True, slots=True)
class Impairment:
    """`amount` written off at the begin of `month`, besides what is charged."""

    component: str
    month: Month
    amount: Money


@dataclass(frozen=True, slots=True)
class Disposal:
    """Sold or scrapped: `month` is the first that is no longer charged. Without `component`: the whole asset."""

    component: str | None
    month: Month
    proceeds: Money


Event = Estimate | Impairment | Disposal


@dataclass(frozen=True, slots=True)
class Asset:
    """A machine on the lessor's books. `until` ends the schedule early; without it, it runs until nothing changes."""

    code: str
    currency: str
    components: tuple[AssetComponent, ...]
    events: tuple[Event, ...] = ()
    until: Month | None = None

    def events_of(self, component: str) -> list[Event]:
        """What happened to a component, in order of months, as written within a month."""
        own = (event for event in self.events if event.component in (component, None))
        return sorted(own, key=lambda event: event.month)
