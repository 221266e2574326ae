"""Every page on a phone, in both languages and themes: nothing is wider than the screen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.journeys import tour
from tests.journeys.conftest import PHONE, Product


@pytest.mark.parametrize(("theme", "language"), [("dark", "zh-hans"), ("light", "en")])
def test_every_page_fits_a_phone(open_page: Callable[..., Page], product: Product, theme: str, language: str) -> None:
    page = open_page(viewport=PHONE, theme=theme, language=language)
    assert tour.visit_all(page, product, f"390-{theme}-{language}", lambda _: []) == []
