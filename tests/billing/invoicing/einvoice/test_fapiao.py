"""The Chinese e-invoice: goods codes, discounts after their row, taxes that add up, blue and red."""

import csv
import io
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.invoicing.einvoice.fapiao import DISCOUNT, DISCOUNTED, fapiao_of
from billing.invoicing.einvoice.fapiao_rules import check_fapiao
from billing.invoicing.einvoice.formats import Format
from billing.invoicing.einvoice.rmb_words import rmb_words
from billing.invoicing.einvoice.write_einvoice import NotWritten, write_einvoice
from tests.billing.invoicing.einvoice.invoices import JSON, at, changed, decimals, example, parsed

PARKING = "3040502020200000000"


def written(document: JSON) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(write_einvoice(parsed(document), Format.FAPIAO))
    return found


def broken(document: JSON) -> set[str]:
    return {finding.rule for group in check_fapiao(parsed(document)) for finding in group.errors}


def test_the_worked_month_as_a_blue_e_invoice() -> None:
    found = written(example("fapiao"))
    assert (found["合计金额"], found["合计税额"], found["价税合计"]) == ("14330.43", "1820.96", "16151.39")
    assert found["价税合计大写"] == "壹万陆仟壹佰伍拾壹圆叁角玖分"
    rows = found["发票明细"]
    # Both credits stand on the largest row, as one discount directly after it, with its name and no quantity.
    assert [row["发票行性质"] for row in rows[:3]] == [DISCOUNTED, DISCOUNT, "0"]
    assert (rows[0]["项目名称"], rows[1]["金额"], rows[1]["数量"]) == (rows[1]["项目名称"], "-535.70", "")
    assert rows[0]["项目名称"].startswith("*经营租赁*")


def test_the_table_says_the_same() -> None:
    content = write_einvoice(parsed(example("fapiao")), Format.FAPIAO, as_csv=True)
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert sum(Decimal(row["金额"]) + Decimal(row["税额"]) for row in rows) == Decimal("16151.39")
    assert {row["购买方纳税人识别号"] for row in rows} == {"91320211MA2FGHJK3Y"}


def test_a_red_one_is_negative_and_names_the_blue_one() -> None:
    found = written(example("red-fapiao"))
    row = found["发票明细"][0]
    assert (row["数量"], row["单价"], row["金额"], row["税额"]) == ("-0.5000", "15.00", "-7.50", "-0.98")
    assert (found["开具类型"], found["对应蓝字发票号码"]) == ("红票", "26322000000012345678")
    assert found["价税合计大写"] == "负捌圆肆角捌分"


def test_a_red_one_of_a_whole_discounted_invoice_has_no_discount_rows() -> None:
    red = changed(
        "fapiao", type="381", fapiao={**example("fapiao")["fapiao"], "red": example("red-fapiao")["fapiao"]["red"]}
    )
    found = written(red)
    assert {row["发票行性质"] for row in found["发票明细"]} == {"0"}
    assert found["价税合计"] == "-16151.39"
    assert found["发票明细"][0]["金额"] == "-6435.13"


@pytest.mark.parametrize(
    ("rule", "path", "value"),
    [
        ("FP-01", "currency", "EUR"),
        ("FP-02", "fapiao", None),
        ("FP-03", "buyer.tax_id", "9132021"),
        ("FP-03", "buyer.tax_id", None),
        ("FP-04", "fapiao.goods.0.code", PARKING),
        ("FP-04", "fapiao.goods.0.code", ""),
        ("FP-04", "fapiao.goods", []),
        ("FP-04", "fapiao.goods.0.code", "30405020"),
        ("FP-05", "fapiao.goods.0.short_name", " "),
        ("FP-06", "lines.1.price", "18.000000001"),
        ("FP-09", "type", "381"),
        ("FP-10", "lines.0.vat", {"category": "AE"}),
        ("FP-11", "allowances.0.amount", "99999.00"),
        ("FP-12", "lines.1.quantity", "-1"),
        ("FP-13", "buyer.name", "=1+1"),
        ("BR-27", "lines.3.price", "-2.70"),
        ("BR-CO-17", "vat", [{"category": "S", "rate": "13", "taxable": "13730.43", "tax": "1784.97"}]),
    ],
)
def test_what_the_platform_would_refuse_is_refused(rule: str, path: str, value: Any) -> None:
    document = at(example("fapiao"), path, value)
    assert rule in broken(document)
    with pytest.raises(NotWritten, match=rule):
        write_einvoice(parsed(document), Format.FAPIAO)


def test_the_reason_for_a_refused_code_is_told() -> None:
    document = at(example("fapiao"), "fapiao.goods.0.code", PARKING)
    with pytest.raises(NotWritten, match="vehicle parking"):
        write_einvoice(parsed(document), Format.FAPIAO)


@settings(max_examples=30, deadline=None)
@given(
    amounts=st.lists(
        st.tuples(decimals(1, 900, 4), decimals(1, 90, 2), st.sampled_from(("13", "6", "9"))), min_size=1, max_size=8
    ),
    discounts=st.lists(decimals(0, 30, 2), max_size=3),
    red=st.booleans(),
)
def test_rows_add_up_and_stay_within_the_tolerance(
    amounts: list[tuple[str, str, str]], discounts: list[str], red: bool
) -> None:
    document = example("red-fapiao" if red else "fapiao")
    line, goods = document["lines"][0], [{"code": "9990000000000000001", "short_name": "经营租赁"}]
    vats = [{"category": "S", "rate": rate} for _, _, rate in amounts]
    document |= {
        "lines": [
            {**line, "quantity": q, "price": p, "vat": vat} for (q, p, _), vat in zip(amounts, vats, strict=True)
        ],
        "allowances": [{"amount": amount, "reason": "谷段", "vat": vats[0]} for amount in discounts],
        "fapiao": {**document["fapiao"], "goods": goods},
    }
    invoice = parsed(document)
    if broken(document):
        assert "FP-11" in broken(document)  # discounts above what there is to discount
        return
    found = fapiao_of(invoice)
    sign = -1 if red else 1
    assert (found.amount, found.tax) == (sign * invoice.totals.net, sign * invoice.totals.tax)
    before = None
    for row in found.rows:
        exact = row.amount * (row.row.vat.rate or 0) / 100
        assert abs(row.tax - exact) < Decimal("0.06")
        if row.nature == DISCOUNT:
            assert before is not None
            assert (before.nature, before.row.full_name) == (DISCOUNTED, row.row.full_name)
            assert -row.amount <= before.amount
        before = row


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("0.00", "零圆整"),
        ("0.05", "伍分"),
        ("0.50", "伍角整"),
        ("8.05", "捌圆零伍分"),
        ("10.00", "壹拾圆整"),
        ("1005.00", "壹仟零伍圆整"),
        ("100000.00", "壹拾万圆整"),
        ("107000.53", "壹拾万柒仟圆伍角叁分"),
        ("6007.14", "陆仟零柒圆壹角肆分"),
        ("10001000.05", "壹仟万壹仟圆零伍分"),
        ("10000100.00", "壹仟万零壹佰圆整"),
        ("100000000.00", "壹亿圆整"),
        ("100000001.00", "壹亿零壹圆整"),
        ("1000000000000.00", "壹万亿圆整"),
        ("1000100000000.00", "壹万零壹亿圆整"),
        ("-1409.50", "负壹仟肆佰零玖圆伍角整"),
    ],
)
def test_amounts_in_capitals(amount: str, words: str) -> None:
    assert rmb_words(Decimal(amount)) == words
