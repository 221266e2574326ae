"""What an operator does with segments: take a ready one, follow it, compare it, list members, export, delete."""

from __future__ import annotations

import csv
import json
import re
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import PHONE, Product

WORDS = {
    "zh-hans": {
        "use": "使用 首购未复购", "follow": "记录到时间线", "unfollow": "停止记录",
        "export": "导出", "start": "开始导出", "file": "查看结果",
    },
    "en": {
        "use": "Use it New buyers without a second order", "follow": "Note it on timelines",
        "unfollow": "Stop noting", "export": "Export", "start": "Start export",
        "file": "Open the result",
    },
}  # fmt: skip


def number(text: str) -> int:
    found = re.search(r"\d[\d,]*", text)
    assert found is not None, text
    return int(found.group().replace(",", ""))


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_from_a_ready_segment_to_an_export(
    open_page: Callable[..., Page], product: Product, tmp_path: Path, language: str
) -> None:
    words, mark = WORDS[language], secrets.token_hex(2)
    page = open_page(language=language)

    # A ready segment opens in the builder with its live count, and is saved under its own name.
    page.goto(product.url("/segments/"))
    page.locator("main a[href='/segments/templates/']").first.click()
    page.get_by_role("link", name=words["use"]).click()
    name = page.locator("input[name=name]")
    name.fill(f"{name.input_value()} {mark}")
    shown = page.locator("#audience .audience-total")
    expect(shown).to_be_visible()
    live = number(shown.inner_text())
    page.locator("button[form=segment-form]").click()
    expect(page.locator("h1")).to_contain_text(mark)
    expect(page.locator(".audience-total")).to_contain_text(f"{live:,}")

    # Entries and exits are noted from now on, until it is switched off.
    page.get_by_role("button", name=words["follow"]).click()
    page.get_by_role("button", name=words["unfollow"]).click()
    expect(page.get_by_role("button", name=words["follow"])).to_be_visible()

    # Compared with two others: the regions of the diagram add up to the segment.
    page.goto(product.url("/segments/"))
    boxes = page.locator("main tbody input[name=id]")
    assert boxes.count() >= 3
    for place in range(3):
        boxes.nth(place).check()
    page.locator("[data-bulk-bar] button[type=submit]").click()
    expect(page.locator("svg.venn circle")).to_have_count(3)
    figures = [number(text) for text in page.locator(".venn-list .list-end").all_inner_texts()]
    assert len(figures) == 7
    own = page.locator("table.overlap tbody tr", has_text=mark)
    assert number(own.locator("td.overlap-self").inner_text()) == live

    # A region opens in the builder with exactly its members.
    region = max(range(7), key=lambda place: figures[place])
    page.locator(".venn-list a").nth(region).click()
    expect(page.locator("#audience .audience-total")).to_contain_text(f"{figures[region]:,}")

    # Exported by a background job: as many rows as members.
    page.goto(product.url("/segments/"))
    page.get_by_role("link", name=mark).first.click()
    page.get_by_role("button", name=words["export"], exact=True).click()
    page.get_by_role("button", name=words["start"]).click()
    expect(page.locator("#job-card:not([hx-get])")).to_be_visible(timeout=60_000)
    with page.expect_download() as download:
        page.get_by_role("link", name=words["file"]).click()
    target = tmp_path / "members.csv"
    download.value.save_as(target)
    with target.open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.reader(file))) == live + 1


def test_a_list_is_picked_from_the_members_and_deleted_by_its_name(
    open_page: Callable[..., Page], product: Product
) -> None:
    name = f"名单 {secrets.token_hex(2)}"
    page = open_page()
    page.goto(product.url("/members/"))
    boxes = page.locator("main tbody input[name=id]")
    for place in range(3):
        boxes.nth(place).check()
    page.get_by_role("button", name="加入名单").click()
    page.locator("input[name=name]").fill(name)
    page.locator("main form button[type=submit]").last.click()
    expect(page.locator("h1")).to_have_text(name)
    expect(page.locator(".audience-total")).to_have_text("3")

    page.locator("main a[href$='/members/'], header a[href$='/members/']", has_text="打开名单").first.click()
    expect(page.locator("main tbody tr")).to_have_count(3)
    page.locator("main tbody button", has_text="移出").first.click()
    expect(page.locator("main tbody tr")).to_have_count(2)

    page.get_by_role("link", name=name).first.click()
    page.locator("summary", has_text="更多").click()
    page.locator("[data-open-dialog=delete]").click()
    dialog = page.locator("dialog#delete")
    expect(dialog.locator("button[type=submit]")).to_be_disabled()
    dialog.locator("input[name=confirm]").fill(name)
    dialog.locator("button[type=submit]").click()
    expect(page.locator("h1")).to_have_text("人群")
    expect(page.locator("main table").get_by_text(name)).to_have_count(0)


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_the_overlap_of_four_segments_fits_a_phone(
    open_page: Callable[..., Page], product: Product, language: str
) -> None:
    page = open_page(language=language, viewport=PHONE, theme="dark")
    answer = page.goto(product.url("/api/v1/segments?size=10"))
    assert answer is not None
    ids = [item["id"] for item in json.loads(answer.text())["items"]][:4]
    answer = page.goto(product.url("/segments/overlap/?" + "&".join(f"id={key}" for key in ids)))
    assert answer is not None
    assert answer.status == 200
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth + 1")
