"""How much use a component may have left: never one date, always a band between pessimism and the population's median.

L10 is the life that nine of ten of a large population reach; half of it lives about 3.5 times as long. One component
says little about itself until it fails, so both ends are told, and what they rest on.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from metering import life
from metering.components.models import Worn
from metering.components.parameters import Kind, Parameters

_HALF = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left until the rated life, in the component's unit of use.

    `on_mix` goes on as over the whole life so far, `lately` as in the recent stretch, both from the least that is
    certain to be used; None where that pace cannot be told. `earliest` to `latest` is the band: from the rated life
    with every doubt against the component and the quicker pace, to the median life (where lives scatter in a known
    way; else the rated one) with every doubt for it and the slower pace. `earliest` is None where unknown load leaves
    no bound. `survive` is the share of a population that gets as far as this component has; None where lives' scatter
    is not known.
    """

    on_mix: Fraction | None
    lately: Fraction | None
    earliest: Fraction | None
    latest: Fraction | None
    survive: Decimal | None


def remaining(parameters: Parameters, whole: Worn, since_fitted: Worn, recent: Worn) -> Remaining:
    """What is left of a component that is worn as `whole` says (what it had used before it was fitted included)."""
    mix, late = pace(since_fitted), pace(recent)
    paces = [each for each in (mix, late) if each]
    beta = slope(parameters)
    median = Fraction(life.share_at(_HALF, beta)) if beta else Fraction(1)
    return Remaining(
        on_mix=life.remaining(whole.least, mix) if mix else None,
        lately=life.remaining(whole.least, late) if late else None,
        earliest=life.remaining(whole.most, max(paces)) if paces and whole.most is not None else None,
        latest=life.remaining(whole.least, min(paces), median) if paces else None,
        survive=life.reliability(_decimal(whole.share), beta) if beta else None,
    )


def pace(worn: Worn) -> Fraction | None:
    """Share of life per unit of use with known load; None where there was none."""
    return worn.share / worn.known if worn.known > 0 and worn.share else None


def slope(parameters: Parameters) -> Decimal | None:
    """The Weibull slope of the component's lives; None where a capacity is no statistical life."""
    if parameters.kind is Kind.WEAR_HOURS or "weibull_slope" not in parameters:
        return None
    return parameters.number("weibull_slope")


def _decimal(share: Fraction) -> Decimal:
    return Decimal(share.numerator) / share.denominator
