"""The loop an operator walks: import, look at RFM, pick a class, save it, reach it, see the effect on the member."""

from __future__ import annotations

import csv
import re
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
            rows.append(
                [str(invoice), "85123A", "T-LIGHT HOLDER", "6", f"{day:%Y-%m-%d %H:%M:%S}", price, f"{9000 + customer}.0",
                 "United Kingdom"]
            )  # fmt: skip
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
        )
        writer.writerows(rows)


def test_from_a_file_to_an_effect_on_the_member(
    open_page: Callable[..., Page], product: Product, tmp_path: Path
) -> None:
    orders = tmp_path / "orders.csv"
    write_orders(orders)
    page = open_page()

    # Import: upload, map (recognised), validate, run.
    page.goto(product.url("/imports/new/"))
    page.locator("input[type=file]").set_input_files(orders)
