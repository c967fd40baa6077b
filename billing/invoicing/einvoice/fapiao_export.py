"""The Chinese e-invoice as the tax platform's fields: JSON of the whole, or CSV with a line a row."""

import csv
import io
from typing import Any

from billing.invoicing.einvoice.electronic_invoice import ElectronicInvoice, Party
from billing.invoicing.einvoice.fapiao import Fapiao, FapiaoRow
from billing.invoicing.einvoice.fapiao_terms import KINDS, RED_REASONS
from billing.invoicing.einvoice.rmb_words import rmb_words
from billing.money import round_half_up

FORMAT = "spindleshare-fapiao/1"
_EXEMPT = {"E": ("免税", "1"), "O": ("不征税", "2"), "Z": ("0%", "3")}
"""What stands for the rate, and the zero-rate mark (零税率标识)."""


def fapiao_json(fapiao: Fapiao) -> dict[str, Any]:
    """The e-invoice by the names of the platform's fields; amounts as text."""
    return {
        "format": FORMAT,
        **_head(fapiao),
        "发票明细": [_row(number, row) for number, row in enumerate(fapiao.rows, start=1)],
        "合计金额": f"{fapiao.amount:.2f}",
        "合计税额": f"{fapiao.tax:.2f}",
        "价税合计": f"{fapiao.gross:.2f}",
        "价税合计大写": rmb_words(fapiao.gross),
    }


def fapiao_csv(fapiao: Fapiao) -> bytes:
    """A line for each row, the head repeated on it; with a byte order mark, so that table programs read Chinese."""
    head = {key: value for key, value in _head(fapiao).items() if key != "备注"}
    rows = [{**head, **_row(number, row)} for number, row in enumerate(fapiao.rows, start=1)]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8-sig")


def _head(fapiao: Fapiao) -> dict[str, str]:
    invoice = fapiao.invoice
    terms = invoice.fapiao
    red = terms.red if terms else None
    return {
        "发票流水号": invoice.number,
        "发票类型": KINDS[terms.kind] if terms else "",
        "开具类型": "红票" if fapiao.is_red else "蓝票",
        "对应蓝字发票号码": red.original_number if red else "",
        "红字信息确认单编号": red.confirmation_number if red else "",
        "冲红原因": RED_REASONS[red.reason] if red else "",
        "开票日期": invoice.issue_date.isoformat(),
        "是否含税": "否",
        **_party("购买方", invoice.buyer),
        **_party("销售方", invoice.seller),
        "销售方银行账号": invoice.payment.account if invoice.payment else "",
        "开票人": terms.issuer if terms else "",
        "备注": _remark(invoice),
    }


def _party(who: str, party: Party) -> dict[str, str]:
    address = "".join((party.address.subdivision, party.address.city, *party.address.lines))
    return {
        f"{who}名称": party.name,
        f"{who}纳税人识别号": party.tax_id or party.vat_id,
        f"{who}地址": address,
        f"{who}电话": party.contact.phone if party.contact else "",
    }


def _remark(invoice: ElectronicInvoice) -> str:
    period = invoice.period
    days = [f"服务期间 {period.first or ''} 至 {period.last or ''}"] if period else []
    return "; ".join([*days, *invoice.notes])


def _row(number: int, found: FapiaoRow) -> dict[str, str]:
    row = found.row
    rate, mark = _EXEMPT.get(row.vat.category, (f"{round_half_up(row.vat.rate or 0, 2).normalize():f}%", ""))
    is_discount = found.quantity is None
    return {
        "行号": str(number),
        "发票行性质": found.nature,
        "项目名称": row.full_name,
        "商品和服务税收编码": row.goods.code if row.goods else "",
        "规格型号": "",
        "单位": "" if is_discount else row.unit,
        "数量": "" if found.quantity is None else f"{found.quantity:f}",
        "单价": "" if found.price is None else f"{found.price:f}",
        "金额": f"{found.amount:.2f}",
        "税率": rate,
        "税额": f"{found.tax:.2f}",
        "零税率标识": mark,
    }
