"""The editor of earning rules, in both languages: factors as rows, a preview in words with an example, activating."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Product


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("zh-hans", "每笔订单每满 ¥2 得 3 积分，向下取整。"),
        ("en", "3 积分 per ¥2 of every order, rounded down."),
    ],
)
def test_a_rule_is_written_previewed_and_activated(
    open_page: Callable[..., Page], product: Product, language: str, sentence: str
) -> None:
    page, name = open_page(language=language), f"双倍日 {secrets.token_hex(3)}"
    page.goto(product.url("/earning/new/"), wait_until="networkidle")
    page.locator("[name=name]").fill(name)
    page.locator("[name=points]").fill("3")
    page.locator("[name=per]").fill("2")
    preview = page.locator("#rule-preview")
    expect(preview).to_contain_text(sentence)
    page.locator("[data-kinds] [data-add]").click()
    row = page.locator("[data-kinds] [data-row]")
    expect(row.locator("[name=m_from]")).to_be_visible()
    expect(row.locator("[name=m_channel]")).to_be_hidden()
    row.locator("[data-kind]").select_option("channel")
    row.locator("[name=m_channel]").fill("app")
    row.locator("[name=m_factor]").fill("2")
    row.locator("[name=m_name]").fill("小程序双倍")
    page.locator("#example-amount").fill("60")
    expect(preview).to_contain_text("+180 = ¥60.00 × 3/¥2.00 小程序双倍 ×2")
    faults = Axe().run(page).response["violations"]
    assert [fault["id"] for fault in faults if fault["impact"] in ("serious", "critical")] == []
    page.locator("button[form=earning-form]").click()
    page.wait_for_url(re.compile(r"/earning/\d+/$"))
    expect(page.locator("#says").locator("xpath=ancestor::section")).to_contain_text(sentence)
    page.locator("[data-open-dialog=activate]").click()
    page.locator("#activate button[type=submit]").click()
    expect(page.locator(".badge.tone-green")).to_be_visible()
