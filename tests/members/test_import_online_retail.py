"""The built-in mapping: invoices become orders, cancelled ones refunds, and a killed import goes on where it stood."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count, Sum

from members.models import Identity, Member, MemberSummary, Order, OrderLine, Product, Refund, Source
from members.rules import imports as rules
from scrm.common.jobs import Progress
from scrm.common.models import Job
from scrm.common.models.jobs import JobState
from tests.members.importing import as_csv, create, errors, finish, run

pytestmark = pytest.mark.django_db
REAL_FILE = Path(__file__).resolve().parents[3] / "shared" / "data" / "online_retail.csv.gz"
HEADER = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
FILE = as_csv(
    HEADER,
    ["536365", "85123A", "HEART HOLDER", "6.0", "2010-12-01 08:26:00", "2.55", "17850.0", "United Kingdom"],
    ["536365", "71053", "LANTERN", "6.0", "2010-12-01 08:27:00", "3.39", "17850.0", "United Kingdom"],
    ["536366", "22633", "HAND WARMER", "3", "2010-12-01 08:28:00", "0.335", "13047.0", "France"],
    ["536367", "22633", "HAND WARMER", "3", "2010-12-01 08:28:00", "1.85", "", "France"],
    ["536368", "22633", "HAND WARMER", "-3", "2010-12-01 08:28:00", "1.85", "13047.0", "France"],
    ["536365", "84406B", "COAT HANGER", "8", "2010-12-01 08:26:00", "2.75", "17850.0", "United Kingdom"],
    ["536369", "M", "Manual", "1", "2010-12-02 09:00:00", "0", "13047.0", "France"],
    ["C536379", "D", "Discount", "-1", "2010-12-01 09:41:00", "27.50", "14527.0", "Spain"],
    ["C536379", "D", "Discount", "-2", "2010-12-01 09:41:00", "0.005", "14527.0", "Spain"],
    ["536370", "22633", "HAND WARMER", "1", "2010-12-01 10:00:00", "1.00", "13047.0", "Malta"],
    ["536370", "22633", "HAND WARMER", "1", "2010-12-01 10:00:00", "1.00", "17850.0", "Malta"],
)


def state() -> dict[str, Any]:
    """Everything that an import writes, told without ids."""
    return {
        "orders": list(Order.objects.order_by("external_number").values_list("external_number", "amount", "paid_at")),
        "lines": list(
            OrderLine.objects.order_by("order__external_number", "line_number").values_list(
                "order__external_number", "line_number", "product__sku", "quantity", "unit_price", "amount"
            )
        ),
        "refunds": list(Refund.objects.order_by("external_number").values_list("external_number", "amount")),
        "members": sorted(
            Identity.objects.values_list("value", "member__country", "member__name", "member__joined_at")
        ),
        "summaries": sorted(MemberSummary.objects.values_list("order_count", "gross_amount", "net_amount")),
        "products": sorted(Product.objects.values_list("sku", "name")),
    }


def test_a_small_file_gives_exact_figures() -> None:
    job = run(FILE, mapping="online-retail")

    assert job.state == JobState.SUCCEEDED
    assert job.counts == {
        "rows": 11, "accepted": 2, "refunds.accepted": 1,
        "rejected": 5, "rejected.no_identity": 1, "rejected.non_positive": 2, "rejected.ambiguous_member": 2,
    }  # fmt: skip
    assert errors(job) == [
        ["5", "CustomerID", "no_identity"],
        ["6", "Quantity", "non_positive"],
        ["8", "UnitPrice", "non_positive"],
        ["11", "CustomerID", "ambiguous_member"],
        ["12", "CustomerID", "ambiguous_member"],
    ]
    found = state()
    assert found["orders"] == [
        # 6×2.55 + 6×3.39 + 8×2.75, with the line that stands further down; 08:26 in Shanghai
        ("536365", 1530 + 2034 + 2200, datetime(2010, 12, 1, 0, 26, tzinfo=UTC)),
        ("536366", 101, datetime(2010, 12, 1, 0, 28, tzinfo=UTC)),  # 3 × 0.335 = 1.005
    ]
    assert found["lines"] == [
        ("536365", 1, "85123A", 6, Decimal("2.5500"), 1530),
        ("536365", 2, "71053", 6, Decimal("3.3900"), 2034),
        ("536365", 3, "84406B", 8, Decimal("2.7500"), 2200),
        ("536366", 1, "22633", 3, Decimal("0.3350"), 101),
    ]
    assert found["refunds"] == [("C536379", 2751)]  # 27.50 + 2 × 0.005
    assert [row[:3] for row in found["members"]] == [
        ("13047@online-retail", "France", ""),
        ("14527@online-retail", "Spain", ""),
        ("17850@online-retail", "United Kingdom", ""),
    ]
    assert found["summaries"] == [(0, 0, -2751), (1, 101, 101), (1, 5764, 5764)]
    assert Source.objects.get().currency == "GBP"


def test_a_second_run_changes_nothing() -> None:
    run(FILE, mapping="online-retail")
    before = state()

    job = run(FILE, mapping="online-retail")

    assert state() == before
    assert {name: n for name, n in job.counts.items() if not name.startswith("rejected")} == {
        "rows": 11, "duplicate": 2, "refunds.duplicate": 1,
    }  # fmt: skip


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "ORDERS_PER_BATCH", 2)


def shuffled_file() -> bytes:
    """40 invoices of 3 lines; those of every fifth are far apart, and each tenth line has no customer."""
    rows = [
        [f"9{n:03}", f"S{line}", "THING", str(line + 1), f"2011-03-{n % 28 + 1:02} 10:00:00", f"{n}.25",
         "" if (n * 3 + line) % 10 == 9 else f"{n % 7 + 100}.0", "Norway"]
        for n in range(1, 41) for line in range(3)
    ]  # fmt: skip
    far = [row for row in rows if int(row[0]) % 5 == 0 and row[1] == "S2"]
    return as_csv(HEADER, *[row for row in rows if row not in far], *reversed(far))


class Killed(BaseException):
    """As good as kill -9: nothing in the product catches it."""


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("survived", [1, 5, 12])
def test_a_killed_import_goes_on_where_it_stood(survived: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(shuffled_file(), mapping="online-retail")
    expected, expected_errors = state(), errors(whole)
    assert whole.counts["accepted"] == 40
    assert whole.counts["rejected.no_identity"] == len(expected_errors) == 12
    call_command("flush", interactive=False, verbosity=0)

    job = create(shuffled_file(), mapping="online-retail")
    with monkeypatch.context() as patched:
        patched.setattr(Progress, "report", killed_at_the_end_of_batch(survived))
        with pytest.raises(Killed):
            finish(job)
    job.refresh_from_db()
    assert job.state == JobState.RUNNING
    assert 0 < job.counts["accepted"] < 40
    assert Order.objects.count() == job.counts["accepted"]
    Job.objects.update(heartbeat_at=datetime(2020, 1, 1, tzinfo=UTC))  # nobody has heard of it for long

    again = finish(job)

    assert again.state == JobState.SUCCEEDED
    assert again.counts == whole.counts
    assert errors(again) == expected_errors
    assert state() == expected


def killed_at_the_end_of_batch(survived: int) -> Any:
    """A `Progress.report` after which the process is gone: the batch is landed, its errors are written, no commit."""
    report = Progress.report
    left = iter(range(survived))

    def killed(self: Progress, **values: Any) -> None:
        report(self, **values)
        if "checkpoint" in values and next(left, None) is None:
            raise Killed

    return killed


@pytest.mark.usefixtures("small_batches")
def test_a_cancelled_import_keeps_whole_batches_and_their_errors() -> None:
    job = create(shuffled_file(), mapping="online-retail")
    Job.objects.filter(pk=job.pk).update(cancel_requested=True)

    finish(job)

    assert job.state == JobState.CANCELLED
    assert Order.objects.count() == 0


def test_the_command_reads_gzip_and_prints_a_summary(tmp_path: Path) -> None:
    file = tmp_path / "retail.csv.gz"
    file.write_bytes(gzip.compress(FILE))
    out, err = StringIO(), StringIO()

    call_command("import_orders", str(file), mapping="online-retail", stdout=out, stderr=err)

    printed = out.getvalue().splitlines()
    assert printed[0].endswith(": 11 rows read")
    assert "accepted: 2 orders" in printed
    assert "accepted: 1 refunds" in printed
    assert "rejected: 5 rows" in printed
    assert any(line.startswith("  no_identity: 1 ") for line in printed)
    assert "11 of 11 rows (100%)" in err.getvalue() or "0 of 11 rows (0%)" in err.getvalue()
    assert Job.objects.get().state == JobState.SUCCEEDED


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (FILE, {"mapping": "no-such"}, "unknown_mapping"),
        (b"", {"mapping": "online-retail"}, "empty_file"),
        (b"a,b\r\n1,2\r\n", {"mapping": "online-retail"}, "missing_columns"),
        (gzip.compress(FILE)[:-20], {"mapping": "online-retail"}, "damaged_file"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(
    tmp_path: Path, content: bytes, options: dict[str, str], message: str
) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(CommandError, match=message):
        call_command("import_orders", str(file), stdout=StringIO(), stderr=StringIO(), **options)
    assert not Order.objects.exists()
    assert not Member.objects.exists()


@pytest.fixture
def real_file() -> Path:
    if not REAL_FILE.is_file():
        pytest.skip(f"the UCI Online Retail file is not at {REAL_FILE}")
    return REAL_FILE


@pytest.mark.long
def test_the_real_file(real_file: Path) -> None:
    out = StringIO()
    call_command("import_orders", str(real_file), mapping="online-retail", stdout=out, stderr=StringIO())

    counted = Order.objects.aggregate(orders=Count("*"), revenue=Sum("amount"), buyers=Count("member", distinct=True))
    assert counted == {"orders": 18_532, "revenue": 891_140_790, "buyers": 4_338}
    assert Order.objects.filter(counts=True).count() == 18_532
    assert OrderLine.objects.count() == 397_884
    assert Refund.objects.count() == 3_654
    job = Job.objects.get()
    assert job.counts == {
        "rows": 541_909, "accepted": 18_532, "refunds.accepted": 3_654,
        "rejected": 135_120, "rejected.no_identity": 135_080, "rejected.non_positive": 40,
    }  # fmt: skip
