"""Every page, light and in Chinese: nothing broken, out of reach or wider than the screen; the dashboard is light."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, Response

from tests.journeys import tour
from tests.journeys.conftest import WIDE, Product

# What the first sight of the dashboard may cost: page, styles, scripts and icons as they are transferred.
PAGE_BYTES = 200_000


def test_every_page_is_accessible_and_speaks_one_language(open_page: Callable[..., Page], product: Product) -> None:
    page = open_page(viewport=WIDE, theme="light", language="zh-hans")
    look = lambda: tour.barriers(page, "light") + tour.foreign(page, "zh-hans")  # noqa: E731
    assert tour.visit_all(page, product, "light-zh-hans", look) == []


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
