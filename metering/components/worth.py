"""What a component's use takes of its worth, by units of production: the asset's side of wear, never a price.

The price of a lease's wear is the contract's; the book runs apart and is reconciled with it.
"""

from dataclasses import dataclass
from fractions import Fraction

from metering.components.parameters import Parameters


@dataclass(frozen=True, slots=True)
class Worth:
    """A part's cost and what it is worth when used up, in one currency, exact."""

    currency: str
    cost: Fraction
    residual: Fraction

    def left(self, share: Fraction) -> Fraction:
        """What it carries after `share` of its life: cost less the used share of what can be used up."""
        return self.cost - (self.cost - self.residual) * min(share, Fraction(1))


def worth_of(parameters: Parameters) -> Worth | None:
    """The worth that the parameters state, if they do."""
    if "cost" not in parameters:
        return None
    cost, residual = Fraction(parameters.number("cost")), Fraction(parameters.number("residual"))
    return Worth(parameters.text("currency"), cost, residual)


def per_unit(carried: Fraction, residual: Fraction, capacity_left: Fraction) -> Fraction:
    """What a unit of use takes from now on: (carried - residual) / capacity left [units of production, IAS 16.62].

    With the cost and the whole capacity it is the rate from the beginning; a capacity that is found to be smaller
    raises it for what is to come and leaves the past as it was.
    """
    return (carried - residual) / capacity_left
