"""Points by mouse: a correction above the limit needs somebody else, in both languages and on a phone."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Product

LANGUAGES = pytest.mark.parametrize("language", ["zh-hans", "en"])
PHONE = {"width": 390, "height": 844}
AXE = Axe()


def go(page: Page, product: Product, path: str) -> None:
    page.goto(product.url(path), wait_until="networkidle")


def adjust(page: Page, product: Product, *, amount: int, reason: str) -> None:
    go(page, product, "/points/members/1/adjust/")
    page.locator("[name=amount]").fill(str(amount))
    page.locator("[name=reason]").fill(reason)
    page.locator("main form .btn-primary").click()
    page.wait_for_url(re.compile(r"/points/members/1/\?currency=points$"))


def as_operator(page: Page, product: Product) -> None:
    page.context.clear_cookies()
    page.goto(product.url("/accounts/login/"))
    page.locator("input[name=login]").fill("operator")
    page.locator("input[name=password]").fill(product.password)
    page.locator("form button[type=submit]").last.click()
    page.wait_for_url(product.url("/"))


@LANGUAGES
def test_an_adjustment_is_booked_or_waits_for_a_second_person(
    open_page: Callable[..., Page], product: Product, language: str
) -> None:
    small, large = (f"{name} {secrets.token_hex(3)}" for name in ("补录", "活动"))
    page = open_page(language=language)
    adjust(page, product, amount=500, reason=small)
    expect(page.locator("tbody tr").first).to_contain_text(small)
    expect(page.locator("tbody tr").first).to_contain_text("+500")
    adjust(page, product, amount=5_000, reason=large)
    expect(page.locator(".notice").filter(has_text=large)).to_be_visible()
    # Whoever proposed it is not offered to approve it.
    go(page, product, "/points/adjustments/")
    row = page.locator("tbody tr").filter(has_text=large)
    expect(row.get_by_role("button")).to_have_count(0)
    as_operator(page, product)
    go(page, product, "/points/adjustments/")
    row.locator(".btn-primary").click()
    expect(row).to_have_count(0)
    go(page, product, "/points/")
    first = page.locator("tbody tr").filter(has_text=large)
    expect(first).to_contain_text("+5,000")


@LANGUAGES
def test_points_are_read_on_a_phone(open_page: Callable[..., Page], product: Product, language: str) -> None:
    page = open_page(language=language, viewport=PHONE)
    adjust(page, product, amount=7, reason=f"手机 {secrets.token_hex(3)}")
    for path in ("/points/members/1/", "/points/", "/points/adjustments/?state=all", "/points/currencies/"):
        go(page, product, path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        found = AXE.run(page).response["violations"]
        assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == [], path
