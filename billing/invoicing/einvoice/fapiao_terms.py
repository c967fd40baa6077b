"""What China's fully digitalised e-invoice (数电票) needs beyond EN 16931: kind, goods codes, what is reversed."""

from dataclasses import dataclass

KINDS = {"special": "增值税专用发票", "ordinary": "普通发票"}
RED_REASONS = {
    "wrong": "开票有误",
    "returned": "销货退回",
    "ended": "服务中止",
    "allowance": "销售折让",
}


@dataclass(frozen=True, slots=True)
class Goods:
    """A tax classification: lines whose `goods` is `key` get the 19-digit `code` and its `short_name` (*经营租赁*).

    An empty `key` is for every line that has no entry of its own.
    """

    code: str
    short_name: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Red:
    """What a red (negative) e-invoice reverses: the blue one's 20-digit number and the confirmation that allows it."""

    original_number: str
    confirmation_number: str
    reason: str


@dataclass(frozen=True, slots=True)
class FapiaoTerms:
    """Kind (`special` may be deducted by the buyer, `ordinary` not), goods codes, and `red` for a credit note."""

    kind: str
    goods: tuple[Goods, ...] = ()
    red: Red | None = None
    issuer: str = ""
