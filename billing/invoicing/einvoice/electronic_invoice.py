"""The electronic invoice: what EN 16931 calls a semantic invoice, as one frozen value.

Field names are those of INVOICE.json; BT and BG numbers are EN 16931-1's. Amounts are decimals in major units of
`currency`, rates percentages ("19.00"), days inclusive. A credit note (381) has positive amounts; its type is the sign.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from billing.invoicing.einvoice.fapiao_terms import FapiaoTerms

INVOICE, CREDIT_NOTE, CORRECTED = "380", "381", "384"
TYPES = ("326", INVOICE, CREDIT_NOTE, CORRECTED)
"""UNTDID 1001: part of an invoice, invoice, credit note, corrected invoice."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """An identifier and its scheme (ISO 6523 ICD, or EAS for an electronic address); the scheme may be empty."""

    value: str
    scheme: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """BG-5, BG-8, BG-15: up to three lines; `country` is ISO 3166-1 alpha-2."""

    country: str
    lines: tuple[str, ...] = ()
    city: str = ""
    postcode: str = ""
    subdivision: str = ""


@dataclass(frozen=True, slots=True)
class Contact:
    """BG-6, BG-9."""

    name: str = ""
    phone: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Party:
    """Seller (BG-4) or buyer (BG-7). `vat_id` carries its country's prefix; `tax_id` is a local number (BT-32)."""

    name: str
    address: Address
    trading_name: str = ""
    ids: tuple[Identifier, ...] = ()
    registration: Identifier | None = None
    vat_id: str = ""
    tax_id: str = ""
    legal_form: str = ""
    electronic_address: Identifier | None = None
    contact: Contact | None = None


@dataclass(frozen=True, slots=True)
class Days:
    """A period (BG-14, BG-26) from its first to its last day, both within it; one of them may be open."""

    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """BG-13: where and when it was delivered."""

    day: date | None = None
    name: str = ""
    location: Identifier | None = None
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """BG-16: how it is paid. `code` is UNTDID 4461 (58 SEPA transfer, 30 transfer, 59 SEPA debit, 48 card).

    `reference` (BT-83) is what the payment must carry, here an ISO 11649 RF reference; `account` (BT-84) an IBAN or a
    national account number; `mandate`, `creditor_id` and `debited_account` belong to a direct debit.
    """

    code: str
    text: str = ""
    reference: str = ""
    account: str = ""
    account_name: str = ""
    bic: str = ""
    card: str = ""
    card_holder: str = ""
    mandate: str = ""
    creditor_id: str = ""
    debited_account: str = ""


@dataclass(frozen=True, slots=True)
class CashDiscount:
    """`percent` less when paid within `days` days; `base` only where not the whole amount due."""

    days: int
    percent: Decimal
    base: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Vat:
    """A VAT category (UNTDID 5305) and its rate in percent; `rate` is None for O, outside the scope of VAT."""

    category: str
    rate: Decimal | None = None


@dataclass(frozen=True, slots=True)
class AllowanceCharge:
    """An allowance (BG-20, BG-27) or a charge (BG-21, BG-28); `vat` only at document level."""

    amount: Decimal
    reason: str = ""
    reason_code: str = ""
    base: Decimal | None = None
    percent: Decimal | None = None
    vat: Vat | None = None


@dataclass(frozen=True, slots=True)
class Attribute:
    """BG-32: a named property of what was invoiced."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Line:
    """BG-25. `price` is the net price of `price_base` units; `net` = quantity x price / base + charges - allowances."""

    id: str
    name: str
    quantity: Decimal
    unit: str
    price: Decimal
    net: Decimal
    vat: Vat
    description: str = ""
    note: str = ""
    price_base: Decimal = Decimal(1)
    gross_price: Decimal | None = None
    period: Days | None = None
    order_line: str = ""
    accounting_reference: str = ""
    object: Identifier | None = None
    seller_item: str = ""
    buyer_item: str = ""
    standard_item: Identifier | None = None
    classifications: tuple[Identifier, ...] = ()
    origin_country: str = ""
    attributes: tuple[Attribute, ...] = ()
    allowances: tuple[AllowanceCharge, ...] = ()
    charges: tuple[AllowanceCharge, ...] = ()
    goods: str = ""


@dataclass(frozen=True, slots=True)
class VatPart:
    """BG-23: the tax of one category and rate on the sum of its nets."""

    category: str
    rate: Decimal | None
    taxable: Decimal
    tax: Decimal
    reason: str = ""
    reason_code: str = ""


@dataclass(frozen=True, slots=True)
class Totals:
    """BG-22: `lines` BT-106, `net` BT-109, `tax` BT-110, `gross` BT-112, `due` BT-115."""

    lines: Decimal
    allowances: Decimal
    charges: Decimal
    net: Decimal
    tax: Decimal
    gross: Decimal
    prepaid: Decimal
    rounding: Decimal
    due: Decimal


@dataclass(frozen=True, slots=True)
class InvoiceReference:
    """BG-3: an earlier invoice that this document refers to."""

    number: str
    issue_date: date | None = None


@dataclass(frozen=True, slots=True)
class SupportingDocument:
    """BG-24 by address: such as the evidence that anyone can recompute the invoice from."""

    id: str
    description: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class ElectronicInvoice:
    """The whole document. `vat_currency` and `tax_in_vat_currency` (BT-6, BT-111) come together or not at all."""

    number: str
    type: str
    issue_date: date
    currency: str
    seller: Party
    buyer: Party
    lines: tuple[Line, ...]
    vat: tuple[VatPart, ...]
    totals: Totals
    due_date: date | None = None
    tax_point_date: date | None = None
    vat_currency: str = ""
    tax_in_vat_currency: Decimal | None = None
    notes: tuple[str, ...] = ()
    buyer_reference: str = ""
    order_reference: str = ""
    sales_order_reference: str = ""
    contract_reference: str = ""
    project_reference: str = ""
    accounting_reference: str = ""
    object: Identifier | None = None
    preceding: tuple[InvoiceReference, ...] = ()
    documents: tuple[SupportingDocument, ...] = ()
    period: Days | None = None
    delivery: Delivery | None = None
    payment: Payment | None = None
    payment_terms: str = ""
    cash_discounts: tuple[CashDiscount, ...] = ()
    allowances: tuple[AllowanceCharge, ...] = ()
    charges: tuple[AllowanceCharge, ...] = ()
    fapiao: FapiaoTerms | None = None

    @property
    def is_credit_note(self) -> bool:
        return self.type == CREDIT_NOTE
