"""Prices that public projects document and test, through our own `rate`.

Conventions that differ from ours, and what the adapters do about them:
- Lago and Kill Bill give unrounded amounts: the lines' exact amounts are compared.
- OpenMeter bills a period in several lines; we rate the whole and bill the difference to what was billed.
- OCPI rounds only the last dimension of a session up to its step: the adapter gives a step to that one only. Its sums
  are compared before rounding where the specification prints more than two places.
Cases that we do not follow are listed with their reason; a listed case that passes, or an unknown id, fails.
"""

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from billing.money import Money
from billing.pricing.measured_json import measured_from_json
from billing.pricing.rated import RatedBill
from billing.pricing.rating import rate
from billing.pricing.tariff import TariffVersion

ORACLES = Path(__file__).parent.parent.parent / "oracles"
DAY = ("2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00")
ALL = ["lease_fixed", "lease_variable", "service", "energy", "penalty"]

PERCENTAGE = "a percentage of a sum of money: a machine's use has none"
BLOCKS = "the size of a block differs from tier to tier; a component has one step"
CAPACITY = "the tier is chosen by whichever of several dimensions reaches highest"
UPLIFT = "a mark-up on somebody else's price"
PROGRESSIVE = "no line before the period's end there; here a close rates the whole period whenever it runs"
NOT_FOLLOWED = {
    "lago-vol-prorated": "the tier is chosen by another quantity than the one that is priced",
    **{f"lago-pct-{name}": PERCENTAGE for name in ("zero", "small", "free-amount-only", "none-free", "minmax")},
    **{f"lago-pct-minmax-{name}": PERCENTAGE for name in ("free2", "free3-10000")},
    **{f"lago-gradpct-{units}": PERCENTAGE for units in (1, 11, 21)},
    "killbill-all-5325": BLOCKS,
    "killbill-top-1000": BLOCKS,
    "killbill-top-101001": BLOCKS,
    **{f"killbill-capacity-{name}": CAPACITY for name in "ace"},
    "openmeter-tieredvolume-48": PROGRESSIVE,
    **{f"openmeter-dynamic-{line}": UPLIFT for line in (20, 65, 113, 164)},
    "openmeter-flat-70": PROGRESSIVE,
    "openmeter-flat-107": PROGRESSIVE,
}


def cases(name: str) -> list[Any]:
    found = json.loads((ORACLES / name).read_text(encoding="utf-8"))["cases"]
    return [pytest.param(case, id=case["id"]) for case in found]


def component(code: str, dimension: str, price: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"code": code, "dimension": dimension, "vat": more.pop("vat", "none"), "price": price, **more}


def tariff(components: list[dict[str, Any]], **more: Any) -> TariffVersion:
    vat = {"none": {"category": "Z", "percent": "0"}, **more.pop("vat", {})}
    head = {"format": "spindleshare-tariff/1", "code": "oracle", "version": 1, "title": "oracle", "currency": "USD"}
    elements = more.pop("elements", [{"components": components}] if components else [])
    return TariffVersion.from_json({**head, "vat": vat, "elements": elements, **more})


def bill(prices: TariffVersion, quantities: dict[str, str], slices: list[dict[str, Any]] | None = None) -> RatedBill:
    one = {"from": DAY[0], "to": DAY[1], "quantities": quantities}
    usage = {"format": "spindleshare-usage/1", "period": {"from": DAY[0], "to": DAY[1]}, "zone": "UTC"}
    return rate(prices, measured_from_json({**usage, "slices": slices or [one]}))


def exact(found: RatedBill) -> Fraction:
    return sum((line.exact for line in found.lines), Fraction(0))


def tiers(found: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [{name: text for name, text in tier.items() if text is not None} for tier in found]


def blocks(price: dict[str, Any], model: str) -> dict[str, Any]:
    """Kill Bill's tiers of equally large blocks as prices per unit: a step makes whole blocks of the quantity."""
    size, up_to, found = Decimal(price["tiers"][0]["block_size"]), Decimal(0), []
    for tier in price["tiers"]:
        assert Decimal(tier["block_size"]) == size
        entry = {"unit": str(Decimal(tier["block_price"]) / size)}
        if tier["max_blocks"]:
            up_to += size * Decimal(tier["max_blocks"])
            entry["up_to"] = str(up_to)
        found.append(entry)
    found[-1].pop("up_to", None)
    return {"price": {"model": model, "tiers": found}, "step": str(size)}


def priced_by(price: dict[str, Any]) -> dict[str, Any]:
    """One of the sources' price models as ours."""
    model = price["model"]
    if model in ("graduated", "volume"):
        return {"price": {"model": model, "tiers": tiers(price["tiers"])}}
    if model == "per_unit":
        return {"price": {"model": model, "amount": price["unit_amount"]}}
    if model == "package":
        figures = {
            "size": price["package_size"],
            "amount": price["package_amount"],
            "free": price.get("free_units", "0"),
        }
        return {"price": {"model": model, **figures}}
    if model == "tiered_blocks_all_tiers":
        return blocks(price, "graduated")
    if model == "tiered_blocks_top_tier":
        return blocks(price, "volume")
    raise NotImplementedError(model)


def expect(case: dict[str, Any], follow: Any) -> None:
    """Follow the case, or see that a listed one is indeed not followed."""
    if case["id"] not in NOT_FOLLOWED:
        follow(case)
        return
    with pytest.raises((AssertionError, NotImplementedError, KeyError)):
        follow(case)


@pytest.mark.parametrize("case", cases("pricing_lago_killbill.json"))
def test_lago_and_kill_bill(case: dict[str, Any]) -> None:
    expect(case, follow_amount)


def follow_amount(case: dict[str, Any]) -> None:
    price, usage = case["price"], case["usage"]
    units = price["units"] if price["model"] == "multi" else {"parts": price}
    amounts = usage.get("quantities") or {"parts": usage["quantity"]}
    assert set(usage) <= {"quantity", "quantities", "already_billed"}
    dimensions = dict(zip(units, ("booked_time", "idle_time"), strict=False))
    found = bill(
        tariff(
            [component(f"c-{n}", dimensions[name], **priced_by(unit)) for n, (name, unit) in enumerate(units.items())]
        ),
        {dimensions[name]: amounts[name] for name in units},
    )
    assert exact(found) - Fraction(usage.get("already_billed", "0")) == Fraction(case["expected_amount"])


@pytest.mark.parametrize("case", cases("pricing_openmeter.json"))
def test_openmeter(case: dict[str, Any]) -> None:
    expect(case, follow_difference)


def follow_difference(case: dict[str, Any]) -> None:
    before = Decimal(case["quantity_before_line"])
    whole = openmeter(case, before + Decimal(case["quantity_in_line"]))
    done = Money.of(case["already_billed"], "USD")
    if not done and before:
        done = openmeter(case, before)
    assert whole - done == Money.of(case["expected_total"], "USD")


def openmeter(case: dict[str, Any], units: Decimal) -> Money:
    bounds = {
        name: {"code": name, "vat": "none", "amount": case[f"{name}_amount"], "covers": ALL}
        for name in ("minimum", "maximum")
        if case[f"{name}_amount"]
    }
    if case["price"]["model"] == "flat":
        fee = {"code": "fee", "vat": "none", "parts": [{"description": "fee", "amount": case["price"]["amount"]}]}
        return bill(tariff([], base_fee=fee, **bounds), {}).net
    return bill(tariff([component("c", "parts", **priced_by(case["price"]))], **bounds), {"parts": str(units)}).net


OCPI_DIMENSIONS = {"ENERGY": "energy", "TIME": "booked_time", "PARKING_TIME": "idle_time", "FLAT": "sessions"}
# The source's tariff and session files, which these name, are not part of the oracle.
OCPI_NOT_FOLLOWED = "tandem-"


@pytest.mark.parametrize("case", cases("ocpi_sessions.json"))
def test_ocpi_sessions(case: dict[str, Any]) -> None:
    if case["id"].startswith(OCPI_NOT_FOLLOWED):
        assert "components" not in case
        return
    found = bill(*ocpi(case))
    net = exact(found)
    gross = sum((line.exact * (1 + Fraction(line.vat_rate)) for line in found.lines), Fraction(0))
    for value, expected in ((net, case["expected_excl_tax"]), (gross, case["expected_incl_tax"])):
        if expected is not None:
            places = len(expected.partition(".")[2])
            assert Money.of(value, "USD") == Money.of(expected, "USD") if places <= 2 else value == Fraction(expected)


def ocpi(case: dict[str, Any]) -> tuple[TariffVersion, dict[str, str], list[dict[str, Any]] | None]:
    session, entries = case["session"], case["components"]
    last = [entry for entry in entries if entry["type"] != "FLAT"][-1]["type"]
    vat = {f"v{entry['vat']}": {"percent": str(entry["vat"])} for entry in entries if entry["vat"] is not None}
    elements = []
    for number, entry in enumerate(entries):
        price = {"model": "flat" if entry["type"] == "FLAT" else "per_unit", "amount": entry["price"]}
        step = {"step": ocpi_step(entry)} if entry["type"] == last else {}
        rate_ = "none" if entry["vat"] is None else f"v{entry['vat']}"
        one = component(f"c-{number}", OCPI_DIMENSIONS[entry["type"]], price, vat=rate_, **step)
        when = {"when": {"bands": ocpi_bands(entry)}} if set(entry.get("restrictions", {})) & {"until", "frm"} else {}
        elements.append({**when, "components": [one]})
    clock = any("when" in element for element in elements)
    bands = [
        {"code": "early", "windows": [{"from": "00:00", "to": "17:00"}]},
        {"code": "evening", "windows": [{"from": "17:00", "to": "20:00"}]},
        {"code": "late"},
    ]
    limits = {
        f"{name}imum": {"code": name, "vat": "none", "amount": case[f"{name}_price"]["excl"], "covers": ALL}
        for name in ("min", "max")
        if f"{name}_price" in case
    }
    prices = tariff([], elements=elements, vat=vat, **({"bands": bands} if clock else {}), **limits)
    if clock:
        return prices, {}, ocpi_slices(session)
    return prices, ocpi_quantities(session), None


def ocpi_step(entry: dict[str, Any]) -> str:
    return f"{entry['step_size']}/{1000 if entry['type'] == 'ENERGY' else 3600}"


def ocpi_bands(entry: dict[str, Any]) -> list[str]:
    if entry["restrictions"].get("until") == "17:00":
        return ["early"]
    return ["early", "evening"] if "until" in entry["restrictions"] else ["evening", "late"]


def ocpi_quantities(session: dict[str, Any]) -> dict[str, str]:
    found = {"sessions": "1"}
    if "energy_kwh" in session:
        found["energy"] = session["energy_kwh"]
    for name, dimension in (
        ("charging_min", "booked_time"),
        ("reservation_min", "booked_time"),
        ("parking_min", "idle_time"),
    ):
        if name in session:
            found[dimension] = format(Decimal(session[name]) / 60, ".12f")
    return found


def ocpi_slices(session: dict[str, Any]) -> list[dict[str, Any]]:
    """Charging, then parking, one slice a minute, so that each is on one side of a border between bands."""
    hours, minutes = map(int, session["start"].split(":"))
    found, at = [], hours * 60 + minutes
    for name, dimension in (("charging_min", "booked_time"), ("parking_min", "idle_time")):
        for _ in range(int(session[name])):
            span = {"from": moment(at), "to": moment(at + 1)}
            found.append({**span, "quantities": {dimension: "0.016666666667"}})
            at += 1
    return found


def moment(minute: int) -> str:
    return f"2026-01-01T{minute // 60:02}:{minute % 60:02}:00+00:00"


def test_every_case_that_is_not_followed_is_a_case() -> None:
    files = ("pricing_lago_killbill.json", "pricing_openmeter.json")
    known = {parameter.id for name in files for parameter in cases(name)}
    assert set(NOT_FOLLOWED) <= known
