"""Benefits by mouse and on a phone: make one, claim it for a member, redeem it by its code."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import PHONE, Product

LANGUAGES = pytest.mark.parametrize("language", ["zh-hans", "en"])


def go(page: Page, product: Product, path: str) -> None:
    page.goto(product.url(path), wait_until="networkidle")


@LANGUAGES
def test_a_benefit_is_made_claimed_and_redeemed_on_a_phone(
    open_page: Callable[..., Page], product: Product, language: str
) -> None:
    page, mark = open_page(language=language), secrets.token_hex(3)
    go(page, product, "/benefits/new/")
    page.locator("[name=kind]").select_option("discount")
    expect(page.locator("[name=gift]")).to_be_hidden()
    page.locator("[name=percent_off]").fill("12")
    page.locator("[name=name]").fill(f"会员折扣 {mark}")
    page.locator("[name=key]").fill(f"discount-{mark}")
    # With the demo's ladder the line for everybody is the last one.
    page.locator(".benefit-matrix tbody tr").last.locator("[type=number]").fill("2")
    expect(page.locator("#benefit-sentence")).to_contain_text("2")
    page.locator(".page-actions .btn-primary").click()
    page.wait_for_url(re.compile(r"/benefits/\d+/$"))
    page.locator(".page-actions .btn-primary").click()  # put it into use
    expect(page.locator(".page-sub .tone-green")).to_be_visible()

    go(page, product, "/members/5/")
    panel = page.locator("#member-benefits")
    row = panel.locator(".benefit-row").filter(has_text=f"会员折扣 {mark}")
    row.locator("button").click()
    claim = panel.locator("details.claim").filter(has_text=f"会员折扣 {mark}").first
    claim.locator("summary").click()
    code = claim.locator("dd code").inner_text()
    expect(claim.locator(".claim-qr")).to_be_visible()
    assert claim.locator(".claim-qr").evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
    expect(row).to_contain_text("1")

    phone = open_page(language=language, viewport=PHONE)
    go(phone, product, "/benefits/redeem/")
    phone.locator("[name=code]").fill(code.lower())
    phone.locator("main form .btn-primary").click()
    expect(phone.locator("main .card")).to_contain_text(f"会员折扣 {mark}")
    phone.locator("main form .btn-primary").click()
    expect(phone.locator(".notice-success")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    go(phone, product, f"/benefits/redeem/?code={code}")
    expect(phone.locator(".notice-error")).to_be_visible()
