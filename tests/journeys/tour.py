"""A tour through every page: what the tests that take it share."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Product
from tests.journeys.pages import PAGES, Links

AXE = Axe()
# Where to keep a picture of every page; none are kept unless asked for.
PICTURES = os.environ.get("SCRM_PICTURES")
# Charts follow the window some frames later.
IS_WIDER = """async () => {
    const isWider = () => document.documentElement.scrollWidth > innerWidth + 1, until = performance.now() + 2_000;
    while (isWider() && performance.now() < until) await new Promise(requestAnimationFrame);
    return isWider();
}"""


@dataclass(frozen=True)
class Sight:
    """How a page is looked at: what `look` finds wrong with it, beside being wider than the window."""

    viewport: dict[str, int]
    theme: str
    look: Callable[[Page], list[str]] = lambda _page: []

    def take(self, page: Page) -> None:
        """Change the window and the theme of the page that is open."""
        page.set_viewport_size(self.viewport)  # type: ignore[arg-type]
        page.emulate_media(color_scheme=self.theme)  # type: ignore[arg-type]
        page.evaluate("theme => document.documentElement.setAttribute('data-bs-theme', theme)", self.theme)

    def label(self, language: str) -> str:
        return f"{self.viewport['width']}-{self.theme}-{language}"


def visit_all(page: Page, product: Product, language: str, sights: Sequence[Sight]) -> list[str]:
    """Open every page and collect what is wrong with it in each sight: no page may be wider than the window."""
    found = []
    links = Links(page, product)
    for name, address in PAGES.items():
        path = address if isinstance(address, str) else address(links)
        sights[0].take(page)
        answer = page.goto(product.url(path))
        assert answer is not None
        assert answer.status == 200, f"{name}: {answer.status}"
        assert page.locator("h1").count() == 1, name
        links.keep(path)
        for sight in sights:
            sight.take(page)
            label = sight.label(language)
            if page.evaluate(IS_WIDER):
                found.append(f"{name}, {label}: wider than the window")
            found += [f"{name}, {label}: {problem}" for problem in sight.look(page)]
            if PICTURES:
                folder = Path(PICTURES)
                folder.mkdir(parents=True, exist_ok=True)
                page.screenshot(path=folder / f"{name}-{label}.png", animations="disabled")
    return found


def barriers(page: Page, theme: str) -> list[str]:
    """What axe calls serious or critical. The dark theme differs in its colours only, so that these are looked at."""
    # Counts that are being counted anew are pale for that long.
    expect(page.locator(".is-old")).to_have_count(0)
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
