"""Tasks by mouse: one is made with a reward, events come over the API, and the member's page shows it done."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import PHONE, Product, call

LANGUAGES = pytest.mark.parametrize("language", ["zh-hans", "en"])
MEMBER = 2


def go(page: Page, product: Product, path: str) -> None:
    page.goto(product.url(path), wait_until="networkidle")


@LANGUAGES
def test_a_task_is_made_done_and_seen(open_page: Callable[..., Page], product: Product, language: str) -> None:
    page, mark = open_page(language=language), secrets.token_hex(3)
    go(page, product, "/tasks/new/")
    page.locator("[name=key]").fill(f"t-{mark}")
    page.locator("[name=name]").fill(f"逛三次 {mark}")
    page.locator("[name=types][value='page.viewed']").check()
    page.locator("[name=needed]").fill("3")
    page.locator("[name=reward_amount]").first.fill("25")
    page.locator("[hx-post='/tasks/preview/']").click()
    expect(page.locator("#task-preview .audience-sentence")).to_contain_text(
        "浏览页面" if language == "zh-hans" else "Viewed a page"
    )
    page.locator("button[form=task-form]").click()
    page.wait_for_url(re.compile(r"/tasks/\d+/$"))
    page.locator("form[action$='/start/'] button").click()
    expect(page.locator("form[action$='/pause/']")).to_have_count(1)
    at = page.evaluate("new Date().toISOString()")
    call(page, "events/batch", [
        {"source": "web", "message_id": f"{mark}-{number}", "type": "page.viewed", "occurred_at": at,
         "member": {"member_id": MEMBER}}
        for number in range(3)
    ])  # fmt: skip
    go(page, product, f"/members/{MEMBER}/")
    step = page.locator("#member-tasks li").filter(has_text=mark)
    expect(step.locator(".tone-green")).to_be_visible()
    expect(step).to_contain_text("3/3")
    step.get_by_role("link").click()
    expect(page.locator("main .list .list-main")).to_have_count(3)


def test_three_days_are_checked_in_two_of_them_made_up(open_page: Callable[..., Page], product: Product) -> None:
    page = open_page(viewport=PHONE)
    go(page, product, f"/members/{MEMBER + 1}/")
    days = page.evaluate(
        """[1, 2].map((back) => new Date(Date.now() - back * 864e5)
            .toLocaleDateString("sv-SE", {timeZone: "Asia/Shanghai"}))"""
    )
    call(page, f"members/{MEMBER + 1}/checkins", {})
    for day in days:
        call(page, f"members/{MEMBER + 1}/checkins/makeup", {"day": day, "pay": "points"})
    month = page.evaluate(f"fetch('/api/v1/members/{MEMBER + 1}/checkins').then((answer) => answer.json())")
    assert month["streak"] >= 3
    go(page, product, f"/members/{MEMBER + 1}/")
    expect(page.locator(".checkin-streak b")).to_have_text(str(month["streak"]))
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
