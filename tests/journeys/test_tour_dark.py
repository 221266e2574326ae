"""Every page in English, wide and dark, and on a phone and light: nothing broken, nothing out of reach."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page

from tests.journeys.conftest import PHONE, WIDE, Product
from tests.journeys.tour import Sight, barriers, foreign, visit_all


def test_every_page_is_accessible_speaks_one_language_and_fits_a_phone(
    open_page: Callable[..., Page], product: Product
) -> None:
    wide = Sight(WIDE, "dark", look=lambda page: barriers(page, "dark") + foreign(page, "en"))
    page = open_page(viewport=WIDE, theme="dark", language="en")
    assert visit_all(page, product, "en", [wide, Sight(PHONE, "light")]) == []
