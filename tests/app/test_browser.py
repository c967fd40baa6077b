"""Each user's next action in a real browser, by clicking; and every page held against WCAG 2.2 AA by axe."""

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from billing.invoicing.invoice import Status
from metering.components.component import component_id
from sandbox.bank import Line, statement
from tests.app.site import PASSWORD, Site, address_of
from tests.peers import chromium, needs_axe, needs_chromium, node_package

AXE = node_package("axe-core") / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Chromium refuses its sandbox to root, as whom containers run; the pages are our own.
        opened = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh browser window; what the console complains about (a forbidden script, say) fails the test."""
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.on("console", lambda told: complaints.append(told.text) if told.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert not complaints


def sign_in(page: Page, site: Site, name: str) -> None:
    page.goto(f"{site.base}/sign-in")
    page.get_by_label("E-mail").fill(address_of(name))
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_a_maker_releases_a_draft(page: Page, site: Site) -> None:
    sign_in(page, site, "maker")
    page.locator(f'form[action="/invoices/{site.draft.id}/release"]').get_by_role("button", name="Release").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("LS")
    assert site.invoice(site.draft.id).status is Status.ISSUED


def test_a_lessee_sees_cost_and_books_the_next_slot(page: Page, site: Site) -> None:
    sign_in(page, site, "sme")
    expect(page.locator('[data-field="cost"]').first).to_have_text(re.compile(r"^\d[\d,]*\.\d\d$"))
    bookings = (
        page.locator("table").filter(has=page.get_by_role("columnheader", name="State")).first.locator("tbody tr")
    )
    before = bookings.count()
    page.get_by_role("button", name=re.compile("^Book")).first.click()
    expect(bookings).to_have_count(before + 1)


def test_a_slot_that_cannot_be_had_is_refused_beside_its_form(site: Site) -> None:
    with site.person("sme") as person:
        hidden = dict(re.findall(r'name="(machine_id|lease_id)" value="([^"]*)"', person.get("/sme").text))
        for start, end, reason in (
            ("2099-05-01T09:10", "2099-05-01T10:00", "quarter hour"),
            ("2099-05-01T10:00", "2099-05-01T09:00", "after the start"),
            ("tomorrow", "later", "write times such as"),
        ):
            told = person.submit("/sme/bookings", {**hidden, "start": start, "end": end})
            assert told.status_code == 409
            assert reason in told.text.lower()


def test_finance_matches_a_bank_line_that_names_no_invoice_exactly(page: Page, site: Site, tmp_path: Path) -> None:
    """A part payment with the number in free text is proposed, not matched by itself; a person decides."""
    owed = site.issued.total.decimal
    lines = [Line(owed - Decimal(1), site.issued.buyer.name, text=f"invoice {site.issued.number}")]
    day = site.issued.invoice_date
    assert day is not None
    file = tmp_path / "statement.xml"
    file.write_bytes(statement(lines, account="DE89370400440532013000", day=day, currency=site.issued.currency))
    sign_in(page, site, "finance")
    page.get_by_label("Bank statement").set_input_files(file)
    page.get_by_role("button", name="Import").click()
    page.get_by_role("button", name=re.compile(f"^Match .* with {site.issued.number}$")).click()
    expect(page.get_by_role("link", name=str(site.issued.number)).first).to_be_visible()
    expect(page.get_by_role("button", name=f"Undo the match with {site.issued.number}")).to_be_visible()


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible(browser: Browser, site: Site, scheme: str) -> None:
    invoice, machine = f"/invoices/{site.issued.id}", f"/completeness/{site.lease.machine_id}"
    meter = f"/meters/{site.lease.meter_id}"
    place = f"/machines/{site.lease.machine_id}"
    wear, part = f"{place}/wear", f"{place}/components/{component_id(site.lease.machine_id, 'ball screw X')}"
    pages = {
        "maker": [
            "/maker",
            "/invoices",
            "/completeness",
            machine,
            wear,
            part,
            f"{place}/components/new?kind=ball_screw",
            f"{meter}/usage?known_on=2020-01-01",
            f"{meter}/readings/9",
            f"{meter}/sessions",
            f"{meter}/agent",
            f"/leases/{site.lease.id}",
            f"/leases/{site.lease.id}/swap",
        ],
        "sme": ["/sme", invoice, f"{meter}/readings/9", f"{meter}/sessions"],
        "finance": ["/finance", "/finance/books"],
    }
    for name, paths in pages.items():
        context = browser.new_context(color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(f"{site.base}/sign-in")
        assert_accessible(page)
        sign_in(page, site, name)
        for path in paths:
            page.goto(site.base + path)
            assert_accessible(page)
        context.close()


def assert_accessible(page: Page) -> None:
    page.add_script_tag(path=AXE)
    found = page.evaluate("rules => axe.run({runOnly: rules})", RULES)
    told = [(rule["id"], [node["html"][:120] for node in rule["nodes"]]) for rule in found["violations"]]
    assert not told, (page.url, told)
