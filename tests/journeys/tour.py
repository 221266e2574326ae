"""A tour through every page: what the tests that take it share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.journeys.conftest import PHONE, WIDE, Product
from tests.journeys.pages import PAGES, Links

AXE = Axe()
# What is being counted anew is pale for that long: that is not what is looked at.
STAND_STILL = """() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync("[aria-busy] > *, .is-old { opacity: 1 !important; transition: none !important }");
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}"""
# Whether nothing is wider than the window. A chart follows it some frames later.
FITS = """async () => {
    const latest = performance.now() + 5000;
    while (document.documentElement.scrollWidth > innerWidth + 1) {
        if (performance.now() > latest) return false;
        await new Promise(requestAnimationFrame);
    }
    return true;
}"""
# Where to keep a picture of every page; none are kept unless asked for.
PICTURES = os.environ.get("SCRM_PICTURES")


def visit_all(page: Page, product: Product, label: str, look: Callable[[], list[str]]) -> list[str]:
    """Open every page, look at it, and make the window as small as a phone: no page may be wider than either."""
    found = []
    links = Links(page, product)
    for name, address in PAGES.items():
        path = address if isinstance(address, str) else address(links)
        answer = page.goto(product.url(path))
        assert answer is not None
        assert answer.status == 200, f"{name}: {answer.status}"
        assert page.locator("h1").count() == 1, name
        links.keep(path)
        for size in (WIDE, PHONE):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            if not page.evaluate(FITS):
                found.append(f"{name}: wider than {size['width']}")
            if size == WIDE:
                found += [f"{name}: {problem}" for problem in look()]
            if PICTURES:
                folder = Path(PICTURES)
                folder.mkdir(parents=True, exist_ok=True)
                page.screenshot(path=folder / f"{name}-{size['width']}-{label}.png", animations="disabled")
        page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    return found


def barriers(page: Page, theme: str) -> list[str]:
    """What axe calls serious or critical. The dark theme differs in its colours only, so that these are looked at."""
    page.evaluate(STAND_STILL)
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
