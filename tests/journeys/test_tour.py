"""Every page, wide and on a phone, light and dark, in both languages: nothing broken, nothing out of reach."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Response

from tests.journeys.conftest import PHONE, WIDE, Product
from tests.journeys.pages import PAGES

AXE = Axe()
# Where to keep a picture of every page; none are kept unless asked for.
PICTURES = os.environ.get("SCRM_PICTURES")
# What the first sight of the dashboard may cost: page, styles, scripts and icons as they are transferred.
PAGE_BYTES = 200_000


@pytest.fixture(scope="session")
def addresses(product: Product) -> dict[str, str]:
    """The address of each page, once it has been looked up."""
    return {name: product.url(address) for name, address in PAGES.items() if isinstance(address, str)}


def visit_all(
    page: Page, product: Product, addresses: dict[str, str], label: str, look: Callable[[str], list[str]]
) -> list[str]:
    """Open every page and collect what is wrong with it: no page may be wider than the window."""
    found = []
    for name, address in PAGES.items():
        if name not in addresses:
            assert not isinstance(address, str)
            addresses[name] = product.url(address(page, product.url))
        answer = page.goto(addresses[name])
        assert answer is not None
        assert answer.status == 200, f"{name}: {answer.status}"
        assert page.locator("h1").count() == 1, name
        if page.evaluate("document.documentElement.scrollWidth > innerWidth + 1"):
            found.append(f"{name}: wider than the window")
        found += [f"{name}: {problem}" for problem in look(name)]
        if PICTURES:
            folder = Path(PICTURES)
            folder.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=folder / f"{name}-{label}.png", animations="disabled")
    return found


def barriers(page: Page, theme: str) -> list[str]:
    """What axe calls serious or critical. The dark theme differs in its colours only, so that these are looked at."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if theme == "dark":
        options["runOnly"] = {"type": "rule", "values": ["color-contrast"]}
    results: dict[str, Any] = AXE.run(page, options=options).response
    return [
        f"{violation['id']}: {node['target']}"
        for violation in results["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def foreign(page: Page, language: str) -> list[str]:
    """Whether the menu is in the other language than the chosen one."""
    chinese = any("一" <= letter <= "鿿" for letter in page.locator("nav h2, .my-bar a").first.inner_text())
    if chinese != (language == "zh-hans"):
        return [f"speaks {'Chinese' if chinese else 'English'}"]
    return []


@pytest.mark.parametrize(("theme", "language"), [("light", "zh-hans"), ("dark", "en")])
def test_every_page_is_accessible_and_speaks_one_language(
    open_page: Callable[..., Page], product: Product, addresses: dict[str, str], theme: str, language: str
) -> None:
    page = open_page(viewport=WIDE, theme=theme, language=language)
    look = lambda _: barriers(page, theme) + foreign(page, language)  # noqa: E731
    assert visit_all(page, product, addresses, f"1440-{theme}-{language}", look) == []


@pytest.mark.parametrize(("theme", "language"), [("dark", "zh-hans"), ("light", "en")])
def test_every_page_fits_a_phone(
    open_page: Callable[..., Page], product: Product, addresses: dict[str, str], theme: str, language: str
) -> None:
    page = open_page(viewport=PHONE, theme=theme, language=language)
    assert visit_all(page, product, addresses, f"390-{theme}-{language}", lambda _: []) == []


def test_the_dashboard_is_light(open_page: Callable[..., Page], product: Product) -> None:
    page = open_page()
    answers: list[Response] = []
    session = page.context.new_cdp_session(page)
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108  # the driver marks the callback
    page.goto(product.url("/"), wait_until="networkidle")
    sizes = {answer.url: answer.request.sizes()["responseBodySize"] for answer in answers}
    assert len(sizes) > 4
    assert sum(sizes.values()) < PAGE_BYTES, sizes
