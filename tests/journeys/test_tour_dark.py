"""Every page, dark and in English: nothing broken, out of reach or wider than the screen."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page

from tests.journeys import tour
from tests.journeys.conftest import WIDE, Product


def test_every_page_is_accessible_and_speaks_one_language(open_page: Callable[..., Page], product: Product) -> None:
    page = open_page(viewport=WIDE, theme="dark", language="en")
    look = lambda: tour.barriers(page, "dark") + tour.foreign(page, "en")  # noqa: E731
    assert tour.visit_all(page, product, "dark-en", look) == []
