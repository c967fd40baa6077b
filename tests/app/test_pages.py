"""The pages over HTTP, without a browser: who may see what, forms, and what refusals say."""

from tests.app.site import Site


def test_each_user_signs_in_to_their_own_page(site: Site) -> None:
    for name, home in (("maker", "/maker"), ("sme", "/sme"), ("finance", "/finance")):
        with site.person(name) as person:
            assert person.signed_in.headers["location"] == home
            answer = person.get(home)
            assert answer.status_code == 200, answer.text
            assert answer.headers["cache-control"] == "no-store"
            assert person.get("/invoices").status_code == 200
            for path in ("", "/document.pdf", "/evidence.zip"):
                got = person.get(f"/invoices/{site.issued.id}{path}")
                assert got.status_code == 200, (name, path, got.text)
