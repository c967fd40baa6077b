"""The books page over HTTP: reports beside the ledger, and the journal as a file, for the finance team alone."""

import json
from datetime import timedelta

from app import clock
from tests.app.site import Site

TWO_DAYS = timedelta(days=2)


def test_finance_sees_vat_and_ageing_as_booked_and_takes_the_journal_away(site: Site) -> None:
    issued = site.issued
    today = clock.now().date()
    days = {"start": f"{today - TWO_DAYS}", "end": f"{today + TWO_DAYS}"}
    with site.person("finance") as finance:
        page = finance.get("/finance/books", params=days)
        assert page.status_code == 200, page.text
        assert f"Charged <strong>{issued.tax.decimal:,f} CNY</strong>" in page.text
        assert "ledger differs" not in page.text
        assert page.text.count("as in the ledger") == 2
        assert f"{issued.total.decimal:,f} CNY" in page.text
        assert f'<a href="/invoices/{issued.id}">{issued.number}</a>' in page.text
        file = finance.get("/finance/journal", params={**days, "form": "json"})
        assert "journal-maker-" in file.headers["content-disposition"]
        (entry,) = json.loads(file.content)["entries"]
        assert (entry["document"], entry["postings"][0]["amount"]) == (issued.number, f"{issued.total.decimal:f}")
        assert finance.get("/finance/journal", params={**days, "form": "xlsx"}).content[:2] == b"PK"
        for wrong in ({**days, "form": "word"}, {"start": days["end"], "end": days["start"], "form": "csv"}):
            assert finance.get("/finance/journal", params=wrong).status_code == 400
        assert finance.get("/finance/books", params={"on": "soon"}).status_code == 400
    with site.person("outsider-finance") as outsider:
        page = outsider.get("/finance/books", params=days)
        assert (page.status_code, issued.number in page.text) == (200, False)
        assert "Nobody owed anything on that day." in page.text
    with site.person("sme") as lessee:
        assert lessee.get("/finance/books").status_code == 403
        assert lessee.get("/finance/journal", params={**days, "form": "csv"}).status_code == 403
