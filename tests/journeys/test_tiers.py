"""The ladder by mouse: a level more, thresholds changed, who would move is shown before anything is saved."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Product

AXE = Axe()


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_a_ladder_is_edited_with_its_preview(open_page: Callable[..., Page], product: Product, language: str) -> None:
    page = open_page(language=language)
    page.goto(product.url("/tiers/"), wait_until="networkidle")
    before = int(page.locator("#versions").locator("xpath=../..").locator("tbody th").first.inner_text())
    page.goto(product.url("/tiers/edit/"), wait_until="networkidle")
    expect(page.locator("#preview [data-moved]")).to_be_visible()
    levels = page.locator(".rung")
    count = levels.count()
    page.locator("button[value=add]").click()
    expect(levels).to_have_count(count + 1)
    added = levels.nth(count)
    added.locator("[name=step_name]").fill("黑金")
    added.locator("[name=step_threshold]").fill("1")
    # Below the level under it: refused where it stands, before anything is saved.
    expect(page.locator("#preview .notice-error")).to_be_visible()
    added.locator("[name=step_threshold]").fill(str(20_000 + before))
    expect(page.locator("#preview [data-moved]")).to_be_visible()
    expect(page.locator("#preview table").first).to_contain_text("黑金")
    levels.nth(count).locator("button[value^='up:']").click()
    expect(levels.nth(count - 1).locator("[name=step_name]")).to_have_value("黑金")
    levels.nth(count - 1).locator("button[value^='remove:']").click()
    expect(levels).to_have_count(count)
    found = AXE.run(page)
    assert [one["id"] for one in found.response["violations"] if one["impact"] in ("serious", "critical")] == []
    levels.nth(1).locator("[name=step_threshold]").fill(str(400 + before))
    levels.nth(1).locator("[name=step_retention]").fill("100")
    expect(page.locator("#preview [data-moved]")).to_be_visible()
    page.locator(".form-foot .btn-primary").click()
    page.wait_for_url(re.compile(r"/tiers/$"))
    expect(page.locator("#versions").locator("xpath=../..").locator("tbody th").first).to_have_text(str(before + 1))


def test_a_level_moves_also_while_a_preview_is_asked_for(open_page: Callable[..., Page], product: Product) -> None:
    page = open_page(language="en")
    page.goto(product.url("/tiers/edit/"), wait_until="networkidle")
    levels, held = page.locator(".rung"), []
    last = levels.count() - 1
    name = levels.nth(last).locator("[name=step_name]").input_value()
    page.route("**/tiers/rows/", lambda route: held.append(route))
    levels.nth(last).locator("[name=step_threshold]").fill("90000")
    # The preview is asked for while the rows have not been answered yet.
    with page.expect_request("**/tiers/preview/"):
        levels.nth(last).locator("button[value^='up:']").click()
    assert len(held) == 1
    held[0].continue_()
    expect(levels.nth(last - 1).locator("[name=step_name]")).to_have_value(name)


def test_everybody_is_counted_exactly(open_page: Callable[..., Page], product: Product) -> None:
    """A member far above makes the brand one of 300,000, of whom a preview asks some."""
    counted = product.python(
        "from members.models import Member; from scrm.common import clock;"
        "Member.objects.create(pk=300_001, name='Far above', joined_at=clock.now());"
        "print(Member.objects.filter(status='active').count())"
    )
    try:
        page = open_page(language="en")
        page.goto(product.url("/tiers/edit/"), wait_until="networkidle")
        preview = page.locator("#preview")
        expect(preview).to_contain_text("≈ estimated from a sample")
        preview.get_by_role("button", name="Count exactly").click()
        exact = preview.locator("[data-counted]")
        expect(exact).to_contain_text(f"all {counted} members, as of")
        expect(preview).not_to_contain_text("≈")
        found = AXE.run(page)
        assert [one["id"] for one in found.response["violations"] if one["impact"] in ("serious", "critical")] == []
        # Another ladder is estimated again; this one is still there after a look elsewhere.
        threshold = page.locator(".rung").nth(1).locator("[name=step_threshold]")
        before = threshold.input_value()
        threshold.fill(str(int(before) + 1))
        expect(preview).to_contain_text("≈ estimated from a sample")
        threshold.fill(before)
        expect(exact).to_be_visible()
        expect(preview.get_by_role("button", name="Count again")).to_be_visible()
        other = open_page(language="en")
        other.goto(product.url("/jobs/"), wait_until="networkidle")
        other.locator("a[href*='/tiers/edit/?trial=']").first.click()
        expect(other.locator("#preview [data-counted]")).to_contain_text(f"all {counted} members, as of")
    finally:
        product.python("from members.models import Member; Member.objects.filter(pk=300_001).delete()")
