"""A file of orders, from the command line to the last commit: rows per second, and the most memory the process held.

The file has the shape of the "Online Retail" data: 22 lines to an invoice, a quarter of the lines without a customer,
some cancellations. It is imported by the command that an operator would use, in a process of its own.
"""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

MOST_ROWS = 541_909
LINES = 22
HEADER = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]


def main(size: int) -> None:
    """Measure with as many rows as `size`, at most those of the real file."""
    rows = min(size, MOST_ROWS)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "orders.csv"
        write(file, rows)
        started = time.perf_counter()
        # Each run has a source of its own, so that its orders are new.
        source = f"bench-{time.time_ns()}"
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "import_orders", str(file)]
        process = subprocess.Popen(
            [*command, "--mapping", "online-retail", "--source", source], stderr=subprocess.DEVNULL
        )
        _pid, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the import ended with {process.returncode}")
    figures = {
        "rows": rows,
        "seconds": round(seconds, 1),
        "rows_per_s": round(rows / seconds),
        "peak_mib": round(usage.ru_maxrss / 1024),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
        "load_1m": round(os.getloadavg()[0], 1),
    }
    print("BENCH " + json.dumps({"name": "import", "ratios": {}, "figures": figures}))


def write(file: Path, rows: int) -> None:
    """A file of so many rows; always the same one."""
    chance = random.Random(7)
    start = datetime(2010, 12, 1, 8)  # noqa: DTZ001  # the file names no zone
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADER)
        for first in range(0, rows, LINES):
            invoice = 536_365 + first // LINES
            cancelled = chance.random() < 0.15
            customer = "" if chance.random() < 0.25 else f"{chance.randrange(12_346, 18_288)}.0"
            at = str(start + timedelta(minutes=first // LINES * 20))
            for _line in range(min(LINES, rows - first)):
                quantity = chance.randrange(1, 24) * (-1 if cancelled else 1)
                product = chance.randrange(4_000)
                price = f"{chance.randrange(10, 1500) / 100}"
                writer.writerow(
                    [f"C{invoice}" if cancelled else invoice, product, f"PRODUCT {product}", f"{quantity}.0", at,
                     price, customer, "United Kingdom"]
                )  # fmt: skip
