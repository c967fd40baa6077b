"""ASSET.json read into an asset: every wrong field is named at once, with what to write instead."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing.assets.asset import Asset, AssetComponent, Disposal, Estimate, Event, Impairment
from billing.assets.methods import Declining, Ending, Method, StraightLine, SumOfYears, UnitsOfProduction
from billing.assets.month import Month, UnreadableMonth
from billing.assets.price_list import PricingTerms
from billing.assets.schedule import LONGEST
from billing.money import Money, minor_places
from billing.pricing.fields import Fields, InvalidInput, Problem

_METHODS = ("straight_line", "declining", "sum_of_years", "units_of_production")
_EVENTS = ("estimate", "impairment", "disposal")
_LAST_MONTH = 12
_MOST_YEARS = LONGEST // 12


@dataclass(frozen=True, slots=True)
class AssetFile:
    """What ASSET.json says: the asset, and on which terms it is to be priced."""

    asset: Asset
    pricing: PricingTerms | None


def asset_from_json(value: object) -> AssetFile:
    """The asset that ASSET.json describes. Raises InvalidInput with every wrong field."""
    fields = Fields(value, "an asset with its code, currency and components")
    code, currency = fields.code("asset"), currency_code(fields)
    first, until = _month(fields, "first_month"), _maybe_month(fields, "until")
    components = fields.many("components", _component(currency, first), least=1)
    known = [component.code for component in components]
    if len(set(known)) < len(known):
        fields.wrong("components", "two have one code; give each its own")
    events = fields.many("events", _event(currency, known))
    pricing = fields.maybe("pricing", _pricing(currency, known))
    fields.done()
    return AssetFile(Asset(code, currency, components, events, until), pricing)


def _pricing(currency: str, known: list[str]) -> Callable[[object], PricingTerms]:
    def parse(value: object) -> PricingTerms:
        fields = Fields(value, "the terms of pricing")
        interest = fields.decimal("interest_percent", least="0")
        insurance = money(fields, "insurance_month", currency, "0")
        margin, hours = fields.decimal("margin_percent", "0"), fields.maybe_decimal("expected_hours_month", least="0")
        expected = fields.pairs("expected_units_month", _units)
        for code in expected:
            if code not in known:
                fields.wrong(f"expected_units_month.{code}", f"is no component; there are {', '.join(known)}")
        fields.done()
        return PricingTerms(interest, insurance, margin, hours, expected)

    return parse


def _component(currency: str, first: Month) -> Callable[[object], AssetComponent]:
    def parse(value: object) -> AssetComponent:
        fields = Fields(value, "a component with code, cost, residual and method")
        code = fields.code("code")
        cost, residual = money(fields, "cost", currency), money(fields, "residual", currency)
        if residual.minor > cost.minor:
            fields.wrong("residual", f"{residual} is more than the cost")
        begin = _maybe_month(fields, "first_month") or first
        method = fields.one("method", method_from_json)
        price = fields.maybe_decimal("price_per_unit", least="0")
        use = _use(fields)
        if use and not isinstance(method, UnitsOfProduction):
            fields.wrong("use", "is for the method units_of_production only; take it out")
        fields.done()
        return AssetComponent(code, cost, residual, method, begin, use, price)

    return parse


def method_from_json(value: object) -> Method:
    """A depreciation method with its life or capacity. Raises InvalidInput."""
    fields = Fields(value, 'a method such as {"kind": "straight_line", "months": 120}')
    kind = fields.text("kind", choices=_METHODS)
    method: Method
    match kind:
        case "straight_line":
            method = StraightLine(_life(fields, "months", LONGEST))
        case "sum_of_years":
            method = SumOfYears(_life(fields, "years", _MOST_YEARS))
        case "declining":
            method = _declining(fields)
        case _:
            capacity, unit = fields.decimal("capacity", least="0"), fields.text("unit", "h")
            if not capacity:
                fields.wrong("capacity", "must be more than zero")
            method = UnitsOfProduction(capacity, unit)
    if not kind:
        raise InvalidInput([Problem(".kind", f"write one of {', '.join(_METHODS)}")])
    fields.done()
    return method


def _declining(fields: Fields) -> Declining:
    """Its rate a year, or a factor of the straight-line rate: 2 for double declining."""
    years = _life(fields, "years", _MOST_YEARS)
    rate, factor = fields.maybe_decimal("rate", least="0"), fields.maybe_decimal("factor", least="0")
    if (rate is None) == (factor is None):
        fields.wrong("rate", 'write either a rate such as "0.25", or a factor such as "2" (double declining)')
    yearly = Fraction(rate) if rate is not None else Fraction(factor or Decimal(1)) / years
    if not 0 < yearly <= 1:
        fields.wrong("rate" if rate is not None else "factor", "must give a yearly rate above 0 and of at most 1")
        yearly = Fraction(1)
    ending = fields.text("ending", Ending.SWITCH.value, choices=[str(one.value) for one in Ending]) or Ending.SWITCH
    last = fields.integer("last_years", 2, least=1)
    if last > years and ending == Ending.STRAIGHT_LINE:
        fields.wrong("last_years", "is more than the whole life")
    return Declining(years, yearly, Ending(ending), last)


def _event(currency: str, known: list[str]) -> Callable[[object], Event]:
    def parse(value: object) -> Event:
        fields = Fields(value, 'what happened, such as {"kind": "impairment", "month": "2027-03", ...}')
        kind, month = fields.text("kind", choices=_EVENTS), _month(fields, "month")
        whole = kind == "disposal" and not fields.has("component")
        component = None if whole else fields.text("component", choices=known)
        event: Event
        if kind == "estimate":
            changed = fields.maybe("method", method_from_json)
            residual = money(fields, "residual", currency) if fields.has("residual") else None
            if not fields.has("method") and residual is None:
                fields.wrong("method", "write the new method, or the new residual")
            event = Estimate(component or "", month, changed, residual)
        elif kind == "impairment":
            event = Impairment(component or "", month, money(fields, "amount", currency))
        else:
            event = Disposal(component, month, money(fields, "proceeds", currency))
        fields.done()
        return event

    return parse


def _use(fields: Fields) -> dict[Month, Decimal]:
    """Units by month; a whole year's, written under the year, count in its last month."""
    found: dict[Month, Decimal] = {}
    for text, units in fields.pairs("use", _units).items():
        try:
            month = Month.of(f"{text}-{_LAST_MONTH}") if len(text) == 4 else Month.of(text)
        except UnreadableMonth as error:
            fields.wrong(f"use.{text}", f"{error}, or a year as 2026")
            continue
        if month in found:
            fields.wrong(f"use.{text}", "this month's use is there twice")
        found[month] = units
    return found


def _units(value: object) -> Decimal:
    fields = Fields({"units": value}, "units")
    units = fields.decimal("units", least="0")
    try:
        fields.done()
    except InvalidInput as error:
        raise InvalidInput([Problem("", problem.message) for problem in error.problems]) from error
    return units


def _life(fields: Fields, name: str, most: int) -> int:
    life = fields.integer(name, least=1)
    if life > most:
        fields.wrong(name, f"is more than {most}")
        return 1
    return life


def currency_code(fields: Fields) -> str:
    """The field `currency`; a placeholder where it is wrong."""
    code = fields.text("currency")
    if not (len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()):
        if code:
            fields.wrong("currency", "write the ISO 4217 code, such as CNY")
        return "EUR"
    return code


def money(fields: Fields, name: str, currency: str, default: str | None = None) -> Money:
    """An amount that is a whole number of minor units and not below zero."""
    amount = fields.decimal(name, default, least="0")
    places = minor_places(currency)
    if amount != round(amount, places):
        fields.wrong(name, f"has more than the {places} decimals of {currency}")
    return Money.of(amount, currency)


def _month(fields: Fields, name: str) -> Month:
    try:
        return Month.of(fields.text(name))
    except UnreadableMonth as error:
        fields.wrong(name, str(error))
        return Month.of("2000-01")


def _maybe_month(fields: Fields, name: str) -> Month | None:
    if not fields.has(name):
        fields.text(name, "")
        return None
    return _month(fields, name)
