"""Tags by mouse, in both languages: make, colour, put on, take off and undo, merge, tag a list, write a rule."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Product

LANGUAGES = pytest.mark.parametrize("language", ["zh-hans", "en"])


def go(page: Page, product: Product, path: str) -> None:
    page.goto(product.url(path), wait_until="networkidle")


def make_group(page: Page, product: Product, name: str) -> None:
    go(page, product, "/tags/groups/new/")
    page.locator("[name=name]").fill(name)
    page.locator("main form .btn-primary").click()
    page.wait_for_url(re.compile(r"/tags/$"))


def make_tag(page: Page, product: Product, group: str, name: str, colour: str = "") -> int:
    go(page, product, "/tags/new/")
    page.locator("[name=group]").select_option(label=group)
    page.locator("[name=name]").fill(name)
    page.locator("[name=colour]").select_option(colour)
    page.locator("main form .btn-primary").click()
    page.wait_for_url(re.compile(r"/tags/\d+/$"))
    return int(page.url.rstrip("/").rsplit("/", 1)[1])


def put_on(page: Page, product: Product, member: int, tag: int) -> None:
    go(page, product, f"/members/{member}/")
    panel = page.locator("#member-tags")
    panel.locator("select[name=add]").select_option(str(tag))
    panel.locator("form.row-line button").click()
    expect(panel.locator(f"input[name=remove][value='{tag}']")).to_have_count(1)


@LANGUAGES
def test_a_tag_is_made_put_on_taken_off_and_put_back(
    open_page: Callable[..., Page], product: Product, language: str
) -> None:
    page, mark = open_page(language=language), secrets.token_hex(3)
    make_group(page, product, f"组 {mark}")
    tag = make_tag(page, product, f"组 {mark}", f"茶友 {mark}", colour="pink")
    put_on(page, product, 1, tag)
    panel = page.locator("#member-tags")
    badge = panel.locator("summary").filter(has_text=f"茶友 {mark}")
    expect(badge.locator(".tone-pink")).to_be_visible()
    badge.click()
    panel.locator("details[open] button[type=submit]").click()
    expect(badge).to_have_count(0)
    page.locator(".toast-undo button").click()
    expect(badge).to_be_visible()
    # It is remembered as used, found by its name, and counted.
    go(page, product, "/tags/")
    expect(page.locator(".tag-recent")).to_contain_text(f"茶友 {mark}")
    page.locator("main [name=q]").fill(mark)
    expect(page.locator(".tag-grid li")).to_have_count(1)
    expect(page.locator(".tag-grid li a.num")).to_have_text("1")


@LANGUAGES
def test_groups_fold_and_stay_folded(open_page: Callable[..., Page], product: Product, language: str) -> None:
    page = open_page(language=language)
    go(page, product, "/tags/")
    group = page.locator(".tag-group").first
    group.locator("[data-fold]").click()
    expect(group.locator(".card-body")).to_be_hidden()
    page.reload(wait_until="networkidle")
    expect(group.locator(".card-body")).to_be_hidden()
    page.locator(".tag-index a").first.click()
    expect(group.locator(".card-body")).to_be_visible()
    page.locator("[data-fold-all=close]").click()
    expect(page.locator(".tag-grid:visible")).to_have_count(0)
    page.locator("[data-fold-all=open]").click()
    expect(group.locator(".tag-grid")).to_be_visible()


@LANGUAGES
def test_two_tags_are_merged(open_page: Callable[..., Page], product: Product, language: str) -> None:
    page, mark = open_page(language=language), secrets.token_hex(3)
    make_group(page, product, f"合并 {mark}")
    old = make_tag(page, product, f"合并 {mark}", f"旧 {mark}")
    new = make_tag(page, product, f"合并 {mark}", f"新 {mark}")
    put_on(page, product, 2, old)
    go(page, product, f"/tags/{old}/")
    page.locator(".page-actions summary").click()
    page.locator(f"a[href='/tags/{old}/merge/']").click()
    page.locator("select[name=into]").select_option(str(new))
    expect(page.locator("#merge-effect .merge-line")).to_contain_text(f"新 {mark}")
    expect(page.locator("#merge-effect dd").first).to_have_text("1")
    page.locator("main form .btn-danger").click()
    page.wait_for_url(re.compile(rf"/tags/{new}/$"))
    expect(page.locator("main")).to_contain_text(f"旧 {mark}")  # the signpost
    go(page, product, "/members/2/")
    expect(page.locator("#member-tags")).to_contain_text(f"新 {mark}")
    expect(page.locator("#member-tags")).not_to_contain_text(f"旧 {mark}")


@LANGUAGES
def test_a_pasted_list_is_tagged(open_page: Callable[..., Page], product: Product, language: str) -> None:
    page, mark = open_page(language=language), secrets.token_hex(3)
    make_group(page, product, f"名单 {mark}")
    tag = make_tag(page, product, f"名单 {mark}", f"展会 {mark}")
    page.locator(".page-actions .btn-primary").click()
    expect(page.locator(f"input[name=add][value='{tag}']")).to_be_checked()
    page.locator("[name=kind]").select_option("member_id")
    page.locator("[name=text]").fill("3\n4\n4\n999999999")
    page.locator("main form .btn-primary").click()
    values = page.locator(".kpi-value")
    expect(values).to_have_text(["4", "2", "1", "1"])
    expect(page.locator("tbody tr")).to_have_count(1)
    with page.expect_download() as download:
        page.locator("a[download]").click()
    assert "999999999" in download.value.path().read_text(encoding="utf-8-sig")
    page.locator("main form .btn-primary").click()
    page.wait_for_url(re.compile(r"/tags/$"))
    go(page, product, f"/members/?tag={tag}")
    expect(page.locator("main tbody tr")).to_have_count(2)


@LANGUAGES
def test_a_rule_is_written_tried_enabled_and_paused(
    open_page: Callable[..., Page], product: Product, language: str
) -> None:
    page, mark = open_page(language=language), secrets.token_hex(3)
    make_group(page, product, f"规则 {mark}")
    go(page, product, "/tags/rules/new/?form=interest")
    page.locator("[name=group]").select_option(label=f"规则 {mark}")
    page.locator("[name=name]").fill(f"爱逛 {mark}")
    page.locator("[name=types]").first.check()
    expect(page.locator("decay-curve svg")).to_be_visible()
    before = page.locator("decay-curve p").inner_text()
    page.locator("[name=half_life_days]").fill("365")
    page.locator("[name=threshold]").fill("0.5")
    expect(page.locator("decay-curve p")).not_to_have_text(before)
    page.locator("aside .btn-row .btn").first.click()
    expect(page.locator("#trial-answer .adds")).to_be_visible()
    adds = page.locator("#trial-answer .adds").inner_text()
    page.locator("button[form=rule-form]").click()
    page.wait_for_url(re.compile(r"/tags/rules/\d+/$"))
    page.locator("[hx-post$='/try/'] button").first.click()
    expect(page.locator("#trial-answer .adds")).to_have_text(adds)
    page.locator("[hx-post$='/try/'] button").nth(1).click()
    expect(page.locator("#trial-answer chart-view canvas")).to_be_visible()
    page.locator("form[action$='/enable/'] button").click()
    expect(page.locator("form[action$='/pause/'] button")).to_be_visible()
    # The worker evaluates everyone; then nothing is left to change.
    expect(page.locator("main")).to_be_visible()
    for _attempt in range(30):
        page.locator("[hx-post$='/try/'] button").first.click()
        page.wait_for_load_state("networkidle")
        if page.locator("#trial-answer .adds").inner_text() == "+0":
            break
        page.wait_for_timeout(500)
    expect(page.locator("#trial-answer .adds")).to_have_text("+0")
    page.locator("form[action$='/pause/'] button").click()
    expect(page.locator("form[action$='/enable/'] button")).to_be_visible()
