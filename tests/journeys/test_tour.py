"""Every page, wide and on a phone, light and dark, in both languages: nothing broken, nothing out of reach."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.journeys.conftest import PHONE, WIDE, Product
from tests.journeys.pages import PAGES

AXE = Axe()
# Where to keep a picture of every page; none are kept unless asked for.
PICTURES = os.environ.get("SCRM_PICTURES")


def visit_all(page: Page, product: Product, label: str, look: Callable[[str], None]) -> None:
    for name, address in PAGES.items():
        path = address if isinstance(address, str) else address(page, product.url)
        answer = page.goto(product.url(path))
        assert answer is not None
        assert answer.status == 200, f"{name}: {answer.status}"
        page.wait_for_load_state("networkidle")
        assert page.locator("h1").count() == 1, name
        if PICTURES:
            folder = Path(PICTURES)
            folder.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=folder / f"{name}-{label}.png", animations="disabled")
        look(name)


def serious(page: Page) -> list[str]:
    results: dict[str, Any] = AXE.run(page).response
    return [
        f"{violation['id']}: {node['target']}"
        for violation in results["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible(open_page: Callable[..., Page], product: Product, theme: str) -> None:
    page = open_page(theme=theme, language="zh-hans" if theme == "light" else "en")
    found: dict[str, list[str]] = {}

    def look(name: str) -> None:
        if problems := serious(page):
            found[name] = problems

    visit_all(page, product, f"1440-{theme}", look)
    assert found == {}


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_every_page_fits_a_phone(open_page: Callable[..., Page], product: Product, language: str) -> None:
    page = open_page(viewport=PHONE, language=language)
    wide: list[str] = []

    def look(name: str) -> None:
        if page.evaluate("document.documentElement.scrollWidth > innerWidth + 1"):
            wide.append(name)

    visit_all(page, product, f"390-{language}", look)
    assert wide == []


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_every_page_speaks_one_language(open_page: Callable[..., Page], product: Product, language: str) -> None:
    page = open_page(viewport=WIDE, language=language)
    wrong: list[str] = []

    def look(name: str) -> None:
        heading = page.locator("h1").inner_text()
        menu = page.locator("nav").first.inner_text()
        chinese = any("一" <= letter <= "鿿" for letter in menu)
        if chinese != (language == "zh-hans"):
            wrong.append(f"{name}: {heading}")

    visit_all(page, product, f"1440-{language}", look)
    assert wrong == []
