"""The loop an operator walks: import, look at RFM, pick a class, save it, reach it, see the effect on the member."""

from __future__ import annotations

import csv
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.journeys.conftest import Product


def write_orders(path: Path) -> None:
    """Orders in the Online Retail layout: eight buyers of a year, of all kinds, so that every RFM class has room."""
    today = datetime.now().replace(hour=10, minute=0, second=0, microsecond=0)  # noqa: DTZ005  # the file has shop time
    rows: list[list[str]] = []
    invoice = 600_000
    for customer in range(1, 41):
        recent, often, much = customer % 2, customer // 2 % 2, customer // 4 % 2
        for visit in range(6 if often else 1):
            invoice += 1
            day = today - timedelta(days=(5 if recent else 200) + visit * 7)
            price = "45.00" if much else "3.10"
            at, buyer = f"{day:%Y-%m-%d %H:%M:%S}", f"{9000 + customer}.0"
            rows.append([str(invoice), "85123A", "T-LIGHT HOLDER", "6", at, price, buyer, "United Kingdom"])
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
        )
        writer.writerows(rows)


def test_from_a_file_to_an_effect_on_the_member(
    open_page: Callable[..., Page], product: Product, tmp_path: Path
) -> None:
    mark = secrets.token_hex(2)  # the product may have been walked through before
    orders = tmp_path / "orders.csv"
    write_orders(orders)
    page = open_page()

    # Import: upload, map (recognised from the header), check, run.
    page.goto(product.url("/imports/new/"))
    page.locator("select[name=kind], input[name=kind][value=orders]").first.evaluate(
        "field => field.tagName === 'SELECT' ? (field.value = 'orders') : (field.checked = true)"
    )
    page.locator("input[type=file]").set_input_files(orders)
    submit(page)
    expect(page.locator("#mapping")).to_have_value("online-retail")
    submit(page)
    expect(page.locator(".notice-success")).to_be_visible()
    page.locator("button[name=action][value=run]").click()
    expect(page.get_by_text("已完成").first).to_be_visible(timeout=60_000)

    # RFM: compute anew, follow it in the task centre, open the matrix.
    page.goto(product.url("/rfm/"))
    page.locator("form[action$='/run/'] button").click()
    page.goto(product.url("/jobs/"))
    expect(page.locator("main tbody tr").first.locator(".badge")).to_have_text("已完成", timeout=60_000)
    page.goto(product.url("/rfm/"))
    matrix = page.locator("table.heat tbody a")
    assert matrix.count() == 25
    shown = int(page.locator("a.num[href*='rfm_class=important_win_back']").inner_text())
    assert shown > 0

    # 重要挽留: save it as a segment, whose live count is the number on the card.
    page.locator("[data-segment=important_win_back]").click()
    expect(page.locator("#audience")).to_contain_text(str(shown))
    page.locator("input[name=name]").fill(f"挽留走查 {mark}")
    page.locator("button[form=segment-form]").click()
    expect(page.locator("h1")).to_contain_text(f"挽留走查 {mark}")

    # A campaign to it by the sandbox.
    page.locator("main a[href*='/campaigns/new/?segment=']").first.click()
    page.locator("input[name=name]").fill(f"走查活动 {mark}")
    submit(page)
    page.locator("textarea[name=body]").fill('{{ member.name | default("朋友") }}，走查问候 https://example.com/walk')
    submit(page)
    page.locator("input[name=control_percent]").fill("0")
    page.locator("input[name=respects_cap]").uncheck()
    # By night the messages would wait for the morning.
    page.locator("input[name=quiet_from]").fill("")
    page.locator("input[name=quiet_until]").fill("")
    submit(page)
    page.locator("[data-open-dialog=start-campaign]").click()
    page.locator("dialog[open] [type=submit]").click()

    # Progress until it is finished; then every member of the segment is accounted for.
    expect(page.locator("main")).to_contain_text("发送完成", timeout=60_000)
    page.reload()
    page.locator("main a[href*='/members/?state='], main a[href*='/members/']").first.click()
    rows = page.locator("main tbody tr")
    expect(rows.first).to_be_visible()
    assert rows.count() == shown

    # The member's own page shows the message.
    page.locator("main tbody a[href^='/members/']").first.click()
    expect(page.locator("main")).to_contain_text(f"走查活动 {mark}")


def submit(page: Page) -> None:
    """Go on to the next step of a wizard."""
    page.locator("main form .form-foot .btn-primary").first.click()
    page.wait_for_load_state("networkidle")
