"""The printed invoice: what it says, that it is the same every time, and that nothing goes missing in silence."""

import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pypdf import PdfReader

from app.closing import close, issue
from app.database import Database, Role
from billing.capacity.store import LeasingStore
from billing.invoicing.document import UnknownLanguage, document
from billing.invoicing.document_pdf import TEMPLATE, DocumentError, invoice_pdf
from billing.invoicing.invoice import Invoice
from billing.invoicing.invoice_json import from_json, to_json
from billing.invoicing.print_invoice import print_invoice
from billing.invoicing.store import InvoiceStore
from metering.parties.store import PartyStore
from metering.period import Period
from metering.store import MeteringStore
from tests.builders import BEFORE_MAY, JUNE, MAY, Shop, add_organisation, open_shop, organisation, running, seal_life


@pytest.fixture
def shop(database: Database) -> Shop:
    return open_shop(database)


def issued(shop: Shop) -> Invoice:
    """An hour of a Chinese maker's machine, played back, billed and issued; another lessee used it in between."""
    maker = organisation(
        "maker", name="江南精密机床租赁有限公司", street="星湖街 328 号", postcode="215123", city="苏州", vat_id="9132"
    )
    with shop.database.transaction(Role.WORKER) as session:
        PartyStore(session).add_organisation(maker, now=BEFORE_MAY)
    mine, other = shop.lease(), shop.lease(add_organisation(shop, "other"))
    hours = [Period(MAY.start + timedelta(hours=hour), MAY.start + timedelta(hours=hour + 1)) for hour in (9, 10, 11)]
    for lease, hour in ((mine, hours[0]), (other, hours[1]), (mine, hours[2])):
        shop.book(lease, hour)
    growths = {quarter.start: running() for hour in hours for quarter in hour.quarter_hours()}
    day = Period(MAY.start, MAY.start + timedelta(days=1))
    shop.ingest(seal_life(shop, growths, day, replayed=True))
    drafts = [invoice.id for invoice in close(shop.database, MAY, now=JUNE).invoices if invoice.lease == mine.id]
    (invoice,) = issue(shop.database, drafts, now=JUNE)
    return invoice


def printed(shop: Shop, invoice: Invoice, language: str = "en") -> bytes:
    with shop.database.transaction(Role.WORKER) as session:
        return print_invoice(
            invoice.id,
            invoicing=InvoiceStore(session),
            leasing=LeasingStore(session),
            metering=MeteringStore(session),
            language=language,
        )


def words(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def test_it_says_who_what_and_how_much(shop: Shop) -> None:
    invoice = issued(shop)
    text = words(printed(shop, invoice))
    for expected in (
        "江南精密机床租赁有限公司",
        "LS2026000001",
        "RF26 LS20 2600 0001",
        "2026-05-01 – 2026-05-31",
        "Replayed recording",
        f"{invoice.total.decimal:,f} CNY",
        "9.50",
        "Meter readings",
        "outside this lease",
    ):
        assert expected in text
    assert "账单号" not in text
    assert "本租赁用量" in words(printed(shop, invoice, "zh"))


def test_the_same_invoice_is_the_same_file_even_when_more_is_known_later(shop: Shop) -> None:
    invoice = issued(shop)
    first = printed(shop, invoice)
    with shop.database.transaction(Role.WORKER) as session:
        PartyStore(session).add_organisation(organisation("maker", name="Renamed"), now=JUNE)
    assert printed(shop, invoice) == first


def test_the_invoice_travels_inside_as_data(shop: Shop) -> None:
    invoice = issued(shop)
    reader = PdfReader(io.BytesIO(printed(shop, invoice)))
    (attached,) = reader.attachments["invoice.json"]
    assert attached.decode() == to_json(invoice)
    assert from_json(attached.decode()) == invoice
    assert b"pdfaid:part" in reader.xmp_metadata.stream.get_data() if reader.xmp_metadata else False


def test_a_character_that_the_font_lacks_is_an_error(shop: Shop) -> None:
    invoice = issued(shop)
    foreign = replace(invoice, buyer=replace(invoice.buyer, name="हिन्दी"))
    with pytest.raises(DocumentError, match="could not be displayed"):
        invoice_pdf(foreign, document(foreign))


def test_a_draft_says_that_it_is_none(shop: Shop) -> None:
    lease = shop.lease()
    shop.book(lease, Period(MAY.start, MAY.start + timedelta(hours=1)))
    shop.ingest(seal_life(shop, {MAY.start: running()}, Period(MAY.start, MAY.start + timedelta(hours=1))))
    (draft,) = close(shop.database, MAY, now=JUNE).invoices
    text = words(printed(shop, draft))
    assert "not an invoice" in text
    assert "Reference" not in text


def test_a_template_of_ones_own_replaces_ours_and_its_error_is_named(shop: Shop, tmp_path: Path) -> None:
    invoice = issued(shop)
    own = tmp_path / "own.typ"
    own.write_text(TEMPLATE.read_text(encoding="utf-8").replace('invoice: "Invoice"', 'invoice: "Our bill"'), "utf-8")
    assert "Our bill" in words(invoice_pdf(invoice, document(invoice), template=own))
    own.write_text("#let x = ", "utf-8")
    with pytest.raises(DocumentError, match=r"own\.typ"):
        invoice_pdf(invoice, document(invoice), template=own)


def test_other_languages_are_refused(shop: Shop) -> None:
    with pytest.raises(UnknownLanguage, match="en, zh"):
        document(issued(shop), language="fr")
