"""A member's own pages on a phone: the card, how points came about, a benefit claimed, and today's check-in."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.journeys.conftest import PHONE, Product, call

AXE = Axe()
# Of the demo's members above the lowest tier, one who has claimed nothing and not checked in.
MEMBER = 62


def look(page: Page) -> None:
    """Whatever is shown fits the phone and has no barriers."""
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], page.url
    found = AXE.run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == [], page.url


def opened(page: Page, product: Product, member_id: int) -> None:
    """An operator makes a link; the member opens it on a phone where nobody is logged in."""
    address = call(page, f"members/{member_id}/link", {"days": 1})["url"]
    page.context.clear_cookies(name="scrm_session")
    page.goto(str(address))
    assert "/my/" in page.url


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_member_reads_the_card_and_the_points(open_page: Callable[..., Page], product: Product, theme: str) -> None:
    page = open_page(viewport=PHONE, theme=theme)
    standing = page.evaluate(f"fetch('/api/v1/members/{MEMBER}/tier').then((answer) => answer.json())")
    opened(page, product, MEMBER)
    card = page.locator(".my-card")
    expect(card.locator("strong")).to_have_text(standing["tier"]["name"])
    expect(card.locator("progress")).to_be_visible()
    shown = card.locator(".my-points b").inner_text()
    look(page)
    card.locator(".my-points a").click()
    expect(page.locator("h1")).to_have_text("积分")
    expect(page.locator(".my-big")).to_have_text(shown)
    # Each movement says how it was worked out.
    expect(page.locator(".my-list .grow").filter(has_text="消费积分").first).to_contain_text("¥")
    look(page)


def test_a_member_claims_a_benefit_and_checks_in(open_page: Callable[..., Page], product: Product) -> None:
    page = open_page(viewport=PHONE)
    opened(page, product, MEMBER)
    bar = page.locator(".my-bar")
    bar.get_by_role("link", name="权益").click()
    codes = page.get_by_role("link", name="出示核销码")
    before = codes.count()
    page.get_by_role("button", name="领取").first.click()
    expect(page.get_by_role("status")).to_be_visible()
    expect(codes).to_have_count(before + 1)
    look(page)
    codes.first.click()
    expect(page.locator(".my-code code")).to_have_text(re.compile(r"^\S{6,}$"))
    assert page.locator(".my-code img").evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
    look(page)
    bar.get_by_role("link", name="任务").click()
    done = page.locator(".my-days .done").count()
    page.get_by_role("button", name="签到").click()
    expect(page.locator(".my-days .done")).to_have_count(done + 1)
    expect(page.locator(".my-days .today.done")).to_be_visible()
    expect(page.get_by_role("button", name="今日已签到")).to_be_disabled()
    look(page)


def test_the_card_speaks_english_on_request(open_page: Callable[..., Page], product: Product) -> None:
    page = open_page(viewport=PHONE)
    opened(page, product, MEMBER)
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator(".my-bar")).to_contain_text("Benefits")
    look(page)


def test_staff_hand_out_the_link(open_page: Callable[..., Page], product: Product) -> None:
    page = open_page()
    page.goto(product.url(f"/members/{MEMBER}/"), wait_until="networkidle")
    page.locator("[data-open-dialog=own-pages]").click()
    page.locator("#own-pages [name=days]").select_option("7")
    page.locator("#own-pages [type=submit]").click()
    address = page.locator("#own-address")
    expect(address).to_be_visible()
    look_at = address.inner_text()
    found = AXE.run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    page.goto(look_at)
    expect(page.locator(".my-card")).to_be_visible()
