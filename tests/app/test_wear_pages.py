"""The maker's pages of wear: what they show, forms with what was wrong beside the field, and who is kept out."""

import re
from datetime import timedelta
from html import unescape

from app.clock import now
from metering.components.component import component_id
from tests.app.site import Person, Site

MACHINE_CLOCK = "%Y-%m-%dT%H:%M"


def values(page: str) -> dict[str, str]:
    """The first form's fields as a browser would send them."""
    form = page[page.index('aria-label="Parameters"') :]
    form = form[: form.index("</form>")]
    found = dict(re.findall(r'<input [^>]*name="([^"]+)" value="([^"]*)"', form))
    found |= dict(re.findall(r'<textarea [^>]*name="([^"]+)"[^>]*>([^<]*)</textarea>', form))
    for name, options in re.findall(r'<select [^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.S):
        found[name] = re.findall(r"<option selected>([^<]*)", options)[0]
    return {name: unescape(value) for name, value in found.items() if not name.startswith("_")}


def error_beside(page: str, name: str) -> str:
    """What is said to be wrong with a field, where the field points to it."""
    tag = re.search(rf'<(?:input|textarea|select) id="([^"]+)"[^>]*name="{re.escape(name)}"[^>]*>', page)
    assert tag, name
    if 'aria-invalid="true"' not in tag[0]:
        return ""
    assert f"{tag[1]}-error" in tag[0]
    told = re.search(rf'id="{tag[1]}-error">([^<]*)<', page)
    assert told
    return unescape(told[1])


def test_a_makers_pages_of_wear(site: Site) -> None:
    place = f"/machines/{site.lease.machine_id}"
    screw = f"{place}/components/{component_id(site.lease.machine_id, 'ball screw X')}"
    with site.person("maker") as maker:
        assert f'href="{place}/wear"' in maker.get("/maker").text
        shown(maker.get(f"{place}/wear").text)
        _add(maker, place)
        _correct(maker, screw)
        _fit_and_withdraw(maker, screw, f"{place}/wear")
        assert maker.get(f"{place}/components/new?kind=gearbox").status_code == 422
        assert maker.get(f"{place}/wear?start=soon").status_code == 400
        assert maker.get(f"{place}/components/{site.lease.id}").status_code == 404
        assert "No component yet" in maker.get(f"{place}/wear?known_on=2026-01-01").text
    with site.person("outsider-maker") as stranger:
        for path in (f"{place}/wear", screw, f"{place}/components/new?kind=counted"):
            assert stranger.get(path).status_code == 404
        assert stranger.submit(f"{screw}/pieces", {"why": "x"}).status_code == 404
    with site.person("sme") as lessee:
        assert lessee.get(f"{place}/wear").status_code == 403


def shown(page: str) -> None:
    """Bands as charts with words, whose use it was, the load that it rests on, and what cannot be said."""
    assert "spindle S1 bearings" in page
    assert re.search(r'aria-label="Life used: [\d.]+ % of its life used"', page)
    assert re.search(r'aria-label="Left until the rated life [^"]+: [\d,.]+ to [\d,.]+ h left"', page)
    assert "the meter does not count tool_changes" in page
    assert "outside any booking" in page
    assert re.search(r'class="heat-5" title="6000–\d+/min, \d+–\d+ %: [\d.]+ h"', page)


def _add(maker: Person, place: str) -> None:
    path = f"{place}/components/add?kind=counted"
    sent = {"name": "pump", "p.register": "power_off", "p.capacity": "", "valid_from": "", "used_share": "2"}
    refused = maker.submit(path, sent)
    assert refused.status_code == 422
    assert "power_on" in error_beside(refused.text, "p.register")
    assert "is missing" in error_beside(refused.text, "p.capacity")
    assert error_beside(refused.text, "valid_from") == "choose a day and a time"
    assert "at most 1" in error_beside(refused.text, "used_share")
    assert error_beside(refused.text, "name") == ""
    assert 'value="power_off"' in refused.text
    right = {
        **sent,
        "p.register": "power_on",
        "p.capacity": "20000",
        "valid_from": "2026-05-01T08:00",
        "used_share": "0",
    }
    assert maker.submit(path, right).headers["location"] == f"{place}/wear"
    assert "pump" in maker.get(f"{place}/wear").text
    assert "is there already" in error_beside(maker.submit(path, right).text, "name")


def _correct(maker: Person, screw: str) -> None:
    form = values(maker.get(screw).text)
    assert form["p.duty"] == "3000 500 20\n1500 1000 50\n500 3000 30"
    changed = {**form, "p.lead_mm": "20", "valid_from": "2026-01-01T08:00"}
    refused = maker.submit(f"{screw}/parameters", changed)
    assert refused.status_code == 422
    assert "say why" in error_beside(refused.text, "why")
    assert 'value="20"' in refused.text
    done = maker.submit(f"{screw}/parameters", {**changed, "why": "lead measured"})
    assert done.status_code == 303
    page = maker.get(screw).text
    assert "lead measured" in page
    assert "counts no more" in page
    assert "known already" in maker.get(maker.submit(f"{screw}/parameters", changed).headers["location"]).text


def _fit_and_withdraw(maker: Person, screw: str, wear: str) -> None:
    at = (now() - timedelta(days=1)).strftime(MACHINE_CLOCK)
    refused = maker.submit(f"{screw}/pieces", {"fitted_at": "2999-01-01T00:00", "why": "planned", "used_share": "0"})
    assert refused.status_code == 422
    future = maker.submit(f"{screw}/pieces", {"fitted_at": "2099-01-01T00:00", "why": "planned", "used_share": "0"})
    assert "future" in error_beside(future.text, "fitted_at")
    assert maker.submit(f"{screw}/pieces", {"fitted_at": at, "serial": "X-77", "why": "play"}).status_code == 303
    page = maker.get(wear).text
    assert "X-77" in page
    assert "1 piece before" in page
    number = re.findall(r"entries/(\d+)/withdraw", maker.get(screw).text)[0]
    refused = maker.submit(f"{screw}/entries/{number}/withdraw", {"why": ""})
    assert refused.status_code == 422
    assert "why" not in refused.headers.get("location", "")
    assert maker.submit(f"{screw}/entries/{number}/withdraw", {"why": "it was axis Z"}).status_code == 303
    assert "1 piece before" not in maker.get(wear).text
