"""Every page, wide, dark and in English: nothing broken, nothing out of reach."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page

from tests.journeys import tour
from tests.journeys.conftest import WIDE, Product


def test_every_page_is_accessible_and_speaks_one_language(open_page: Callable[..., Page], product: Product) -> None:
    page = open_page(viewport=WIDE, theme="dark", language="en")
    look = lambda _: tour.barriers(page, "dark") + tour.foreign(page, "en")  # noqa: E731
    assert tour.visit_all(page, product, "1440-dark-en", look) == []
