"""The pictures of the README: every page, on a desktop and a phone, light and dark, from a running demo.

python -m workbench.screenshots                      runs the demo in a folder of its own, then takes the pictures
python -m workbench.screenshots --base URL           takes them from a demo that is running
"""

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import typer

from app.database import Role
from billing.invoicing.invoice import Invoice
from billing.invoicing.store import InvoiceStore
from sandbox.bank import Line, statement
from workbench.demo import scenario
from workbench.demo.journey import meter_month
from workbench.demo.person import Person
from workbench.demo.processes import DemoFailed, free_port
from workbench.demo.stage import Plan, Stage, staged

FOLDER = Path("docs/screenshots")
_PLACES = {"desktop": (1280, 900), "phone": (390, 844)}
_THEMES = ("light", "dark")
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_DAYS = 30


@dataclass(frozen=True, slots=True)
class Shot:
    """A page as its user sees it; `link` leads from there to the page that is meant, by its address."""

    name: str
    login: scenario.Login | None
    path: str
    link: str = ""
    opens: str = ""


COST = Shot("sme", scenario.SECOND_LOGIN, "/sme")
FLEET = Shot("maker", scenario.MAKER_LOGIN, "/maker")
BILLED = (
    Shot("finance", scenario.FINANCE_LOGIN, "/finance"),
    Shot("books", scenario.FINANCE_LOGIN, "/finance/books"),
    Shot("invoices", scenario.FINANCE_LOGIN, "/invoices"),
    Shot("invoice", scenario.SECOND_LOGIN, "/invoices", link=r"/invoices/[0-9a-f-]{36}", opens="details"),
    Shot("reading", scenario.MAKER_LOGIN, "/maker", link=r"/meters/[0-9a-f-]{36}/readings/\d+"),
    Shot("wear", scenario.MAKER_LOGIN, "/maker", link=r"/machines/[0-9a-f-]{36}/wear"),
    Shot("sign-in", None, "/sign-in"),
)

Take = Callable[[str, Shot], None]
"""Takes a page's pictures from the service at an address."""


def main(
    base: Annotated[str, typer.Option(help="Address of a running demo; without it one is run first.")] = "",
    folder: Annotated[Path, typer.Option(help="Where the pictures go.")] = FOLDER,
    full: Annotated[bool, typer.Option("--full", help="Whole pages instead of the first screen.")] = False,
    only: Annotated[str, typer.Option(help="Only these pictures, by name with commas between; all when empty.")] = "",
) -> None:
    """Take the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = only.split(",") if only else []
    with _browser() as browser:

        def take(address: str, shot: Shot) -> None:
            for (place, size), theme in product(_PLACES.items(), _THEMES):
                name = f"{shot.name}-{place}-{theme}"
                if not wanted or name in wanted:
                    file = folder / f"{name}.png"
                    _take(browser, address, shot, file, size, theme, full=full)
                    typer.echo(f"{file} {file.stat().st_size // 1024} kB")

        if base:
            for shot in (COST, FLEET, *BILLED):
                take(base, shot)
        else:
            _tell(take)


def _tell(take: Take) -> None:
    """Run the demo's month and picture each page when it has most to show: cost before billing, drafts, a bank line."""
    with (
        tempfile.TemporaryDirectory(prefix="spindleshare-pictures-") as folder,
        staged(Plan(Path(folder), free_port(), datetime.now(UTC), days=_DAYS)) as stage,
    ):
        meter_month(stage, lambda done, line: None)
        take(stage.base, COST)
        period = stage.month.period
        with Person(stage.base, scenario.FINANCE_LOGIN.email, scenario.PASSWORD) as finance:
            finance.send("/finance/close", {"start": period.start.isoformat(), "end": period.end.isoformat()})
            take(stage.base, FLEET)
            finance.upload("/finance/statements", "statement", _bank(_released(stage, finance)), "application/xml")
        for shot in BILLED:
            take(stage.base, shot)


def _released(stage: Stage, finance: Person) -> list[Invoice]:
    drafts = re.findall(r'href="/invoices/([0-9a-f-]{36})"', finance.page("/invoices"))
    for draft in drafts:
        finance.send(f"/invoices/{draft}/release")
    with stage.database.transaction(Role.WORKER) as session:
        return InvoiceStore(session).of_period(stage.month.period)


def _bank(invoices: list[Invoice]) -> bytes:
    """One transfer that names its invoice, one that a person has to match."""
    first, second = sorted(invoices, key=lambda each: each.buyer.id != scenario.FIRST.id)
    lines = [
        Line(first.total.decimal, first.buyer.name, reference=first.reference or ""),
        Line(second.total.decimal, second.buyer.name, text="machine hours, thank you"),
    ]
    day = datetime.now(UTC).date()
    return statement(lines, account=scenario.MAKER.iban, day=day, currency=first.currency)


@contextmanager
def _browser() -> Iterator[Any]:
    """A Chromium of the system, with the project's own font for Chinese where the system has none."""
    import os
    import shutil

    from playwright.sync_api import sync_playwright

    program = next((found for found in map(shutil.which, _PROGRAMS) if found), None)
    if program is None:
        raise DemoFailed("there is no Chromium: make test says how to install one")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        fonts = Path(folder, "fonts.conf")
        fonts.write_text(_fonts())
        environment: dict[str, str | float | bool] = {**os.environ, "FONTCONFIG_FILE": str(fonts)}
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        yield playwright.chromium.launch(executable_path=program, args=arguments, env=environment)


def _fonts() -> str:
    spec = find_spec("noto_cjk_sans_otc")
    where = list(spec.submodule_search_locations or []) if spec else []
    extra = "".join(f"<dir>{folder}</dir>" for folder in where)
    return (
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
        f'<include ignore_missing="yes">/etc/fonts/fonts.conf</include>{extra}</fontconfig>'
    )


def _take(browser: Any, base: str, shot: Shot, file: Path, size: tuple[int, int], theme: str, *, full: bool) -> None:
    context = browser.new_context(
        base_url=base,
        viewport={"width": size[0], "height": size[1]},
        color_scheme=theme,
        locale="en-GB",
        reduced_motion="reduce",
    )
    page = context.new_page()
    if shot.login:
        page.goto("/sign-in")
        page.get_by_label("E-mail").fill(shot.login.email)
        page.get_by_label("Password").fill(scenario.PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_load_state()
    page.goto(shot.path)
    if shot.link:
        found = re.search(f'href="({shot.link})"', page.content())
        if not found:
            raise DemoFailed(f"{shot.path} has no link to the page {shot.name}")
        page.goto(found[1])
    if shot.opens:
        page.locator(shot.opens).first.evaluate("element => element.open = true")
    page.screenshot(path=file, full_page=full)
    context.close()


if __name__ == "__main__":
    typer.run(main)
