"""The workbench in a browser: edit cut points and see who would move before anything is published, apply, and look at
the migration, as a picture and as a table; in both languages."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import WIDE, Product

WORDS = {
    "zh-hans": {"typed": "手工", "finished": "已完成", "migration": "迁移"},
    "en": {"typed": "Typed", "finished": "Finished", "migration": "Migration"},
}


def run_and_wait(page: Page, product: Product, finished: str) -> None:
    page.goto(product.url("/jobs/"))
    expect(page.locator("main tbody tr").first.locator(".badge")).to_have_text(finished, timeout=60_000)


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_cut_points_are_edited_previewed_applied_and_the_migration_drawn(
    open_page: Callable[..., Page], product: Product, language: str
) -> None:
    words = WORDS[language]
    page = open_page(language=language, viewport=WIDE)

    # A run to compare with.
    page.goto(product.url("/rfm/"))
    page.locator("form[action$='/run/'] button").click()
    run_and_wait(page, product, words["finished"])
    page.goto(product.url("/rfm/"))
    before = {card.get_attribute("data-segment"): card for card in page.locator("[data-segment]").all()}
    assert len(before) == 8

    # Cut points typed by hand: the preview follows, nothing is published yet.
    published = page.locator("table.heat td a").all_inner_texts()
    page.locator("a[href$='/definition/']").first.click()
    expect(page.locator("#preview table.preview").first).to_be_visible()
    first = page.locator("#preview td[data-after]").all_inner_texts()
    page.locator("select[name=r_cuts]").select_option("typed")
    # Other cut points in each language: the second run of this test shall move members too.
    days = "3, 9, 27, 81" if language == "en" else "20, 50, 90, 200"
    with page.expect_response(lambda answer: answer.url.endswith("/preview/") and answer.ok):
        page.locator("input[name=r_values]").fill(days)
    expect(page.locator("#preview")).to_contain_text(re.sub(", ", " / ", days))
    expect(page.locator("#preview td[data-after]").first).to_be_visible()
    previewed = {
        cell.get_attribute("data-after"): cell.inner_text() for cell in page.locator("#preview td[data-after]").all()
    }
    assert list(previewed.values()) != first
    shown = page.locator("#preview [data-preview-ms]").get_attribute("data-preview-ms")
    assert shown is not None
    assert int(shown) < 300

    # What makes no sense says so and leaves the last word to the form.
    page.locator("input[name=r_values]").fill("9, 8, 7, 6")
    expect(page.locator("#preview .notice-error")).to_be_visible()
    page.locator("input[name=r_values]").fill(days)
    expect(page.locator("#preview table.preview").first).to_be_visible()

    # Apply: the run publishes what the preview said.
    page.locator("input[name=note]").fill(f"browser {language}")
    page.locator("button[name=apply]").click()
    page.wait_for_url(re.compile(r"/rfm/\?model="))
    run_and_wait(page, product, words["finished"])
    page.goto(product.url("/rfm/"))
    assert page.locator("table.heat td a").all_inner_texts() != published
    for key in ("important_value", "general_win_back"):
        card = page.locator(f"a.num[href*='rfm_class={key}']").first
        assert card.inner_text() == previewed[key]

    # The migration between the two runs: drawn, and as a table whose numbers open members.
    page.get_by_role("link", name=words["migration"], exact=True).click()
    expect(page.locator("chart-view[type=sankey] svg")).to_be_visible()
    expect(page.locator("chart-view table caption")).to_have_count(1)
    link = page.locator("table.moves tbody td a").first
    count = int(link.inner_text().replace(",", ""))
    link.click()
    expect(page.locator("main")).to_contain_text(f"{count:,}")

    # Who changed it, and back to what it was.
    page.goto(product.url("/rfm/"))
    page.locator("nav.tabs a").nth(2).click()
    expect(page.locator("section.card").first).to_contain_text(f"browser {language}")
    page.locator("form[action$='/restore/'] button").first.click()
    expect(page.locator("section.card").first).not_to_contain_text(f"browser {language}")


def test_other_stage_limits_are_previewed_and_applied(open_page: Callable[..., Page], product: Product) -> None:
    page = open_page()
    page.goto(product.url("/lifecycle/limits/"))
    expect(page.locator("#preview table.preview").first).to_be_visible()
    field = page.locator("input[name=sleeping_days]")
    was = int(field.input_value())
    with page.expect_response(lambda answer: answer.url.endswith("/lifecycle/preview/") and answer.ok):
        field.fill(str(was + 7))
    expect(page.locator("#preview table.preview").first).to_be_visible()
    page.locator("button[name=apply]").click()
    page.wait_for_url(re.compile(r"/lifecycle/$"))
    run_and_wait(page, product, "已完成")
    page.goto(product.url("/lifecycle/moves/"))
    expect(page.locator("chart-view[type=sankey] svg")).to_be_visible()
    expect(page.locator("table.moves")).to_be_visible()
