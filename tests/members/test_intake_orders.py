"""Orders and refunds in: versions, refunds, and what the member's summary says afterwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from members.models import MemberSummary, MergeCandidate, Order, OrderLine, Product, Refund, Source
from members.operations import intake, summaries
from members.rules.intake import OrderIn, Outcome, RefundIn, read_item
from tests.factories import NOW, make_store

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 1, 2, 0, tzinfo=UTC)


def order(number: str, **values: Any) -> OrderIn:
    values.setdefault("member", {"app_user": "u1"})
    values.setdefault("state", "paid")
    values.setdefault("ordered_at", AT.isoformat())
    if "lines" not in values:
        values.setdefault("amount", "100.00")
    return read_item(OrderIn, {"number": number, **values})


def refund(number: str, **values: Any) -> RefundIn:
    values.setdefault("amount", "30")
    values.setdefault("refunded_at", AT.isoformat())
    return read_item(RefundIn, {"number": number, **values})


def back(number: str, amount: str) -> dict[str, Any]:
    return {"number": number, "amount": amount, "refunded_at": AT.isoformat()}


def land(*items: OrderIn | RefundIn) -> list[str]:
    outcomes: list[Outcome] = []
    if isinstance(items[0], OrderIn):
        outcomes = intake.land_orders(items=items, now=NOW)  # type: ignore[arg-type]
    else:
        outcomes = intake.land_refunds(items=items, now=NOW)  # type: ignore[arg-type]
    assert summaries.rebuild() == 0
    return [f"{one.status} {one.code} {one.field}".strip() for one in outcomes]


def summary() -> tuple[int, int, int, int]:
    one = MemberSummary.objects.get()
    return one.order_count, one.gross_amount, one.refund_amount, one.net_amount


def test_an_order_with_lines_and_a_refund() -> None:
    store = make_store("S1")
    outcome = land(
        order(
            "A1",
            store="S1",
            channel="mini",
            lines=[
                {"sku": "K1", "name": "咖啡", "category": "饮品", "quantity": 3, "unit_price": "12.345"},
                {"sku": "K2", "quantity": 1, "unit_price": "10"},
            ],
            discount="5",
            refunds=[back("R1", "2.04")],
        )
    )
    assert outcome == ["accepted"]
    stored = Order.objects.get()
    assert (stored.amount, stored.discount, stored.refunded_amount, stored.net_amount) == (4204, 500, 204, 4000)
    assert (stored.store_id, stored.channel, stored.paid_at, stored.counts) == (store.pk, "mini", AT, True)
    lines = list(OrderLine.objects.order_by("line_number").values_list("product__sku", "quantity", "amount"))
    assert lines == [("K1", 3, 3704), ("K2", 1, 1000)]
    assert Product.objects.get(sku="K1").name == "咖啡"
    assert summary() == (1, 4204, 204, 4000)


def test_a_newer_version_updates_an_older_one_is_ignored_the_same_is_a_duplicate() -> None:
    first = order("A1", state="created", version_at=AT.isoformat())
    paid = order("A1", amount="80", version_at=(AT + timedelta(hours=1)).isoformat())
    assert land(first) == ["accepted"]
    assert summary() == (0, 0, 0, 0)
    assert land(paid) == ["updated"]
    assert summary() == (1, 8000, 0, 8000)
    assert land(first, paid) == ["ignored", "duplicate"]
    assert summary() == (1, 8000, 0, 8000)


def test_without_a_version_time_an_order_moves_on_by_its_state() -> None:
    assert land(order("A1")) == ["accepted"]
    assert land(order("A1", state="completed")) == ["updated"]
    assert land(order("A1", state="paid")) == ["ignored"]
    assert Order.objects.get().state == "completed"


def test_lines_are_replaced_when_given_and_kept_when_left_out() -> None:
    line = {"sku": "K1", "quantity": 1, "unit_price": "10"}
    land(order("A1", lines=[line, line]))
    later = (AT + timedelta(hours=1)).isoformat()
    land(order("A1", amount="20", version_at=later))
    assert OrderLine.objects.count() == 2
    land(order("A1", lines=[line], state="completed", version_at=later))
    assert OrderLine.objects.count() == 1


def test_versions_within_one_batch_count_in_order() -> None:
    outcomes = land(
        order("A1", state="created"),
        order("A1", amount="90", state="paid"),
        order("A1", amount="90", state="paid"),
        order("A1", amount="91", state="paid"),
        order("A1", state="created"),
    )
    assert outcomes == ["accepted", "updated", "duplicate", "rejected conflicting_duplicate number", "ignored"]
    assert summary() == (1, 9000, 0, 9000)


def test_refunds_are_united_over_versions() -> None:
    land(order("A1", refunds=[back("R1", "30")]))
    assert land(order("A1", refunds=[back("R1", "30"), back("R2", "20")])) == ["updated"]
    assert land(order("A1")) == ["duplicate"]
    assert summary() == (1, 10000, 5000, 5000)
    assert land(order("A1", refunds=[back("R3", "50.01")])) == ["rejected out_of_range refunds"]
    assert land(order("A1", refunds=[back("R1", "31")])) == ["rejected conflicting_duplicate refunds[0].number"]
    assert land(order("A1", refunds=[back("R3", "50")])) == ["updated"]
    assert summary() == (0, 0, 0, 0)


def test_a_refund_by_itself() -> None:
    land(order("A1"))
    assert land(refund("R1", order_number="A1")) == ["accepted"]
    assert land(refund("R1", order_number="A1")) == ["duplicate"]
    assert land(refund("R1", order_number="A1", amount="1")) == ["rejected conflicting_duplicate number"]
    assert land(refund("R2", order_number="A1", amount="70.01")) == ["rejected out_of_range amount"]
    assert summary() == (1, 10000, 3000, 7000)


def test_a_refund_of_no_order_reduces_the_net_amount_only() -> None:
    land(order("A1"))
    assert land(refund("C1", member={"app_user": "u1"})) == ["accepted"]
    assert summary() == (1, 10000, 3000, 7000)


def test_a_refund_that_comes_before_its_order_joins_it() -> None:
    assert land(refund("R1", order_number="A1")) == ["rejected unknown_order order_number"]
    assert land(refund("R1", order_number="A1", member={"app_user": "u1"})) == ["accepted"]
    assert summary() == (0, 0, 3000, -3000)
    land(order("A1"))
    assert Refund.objects.get().order_id == Order.objects.get().pk
    assert summary() == (1, 10000, 3000, 7000)
    assert land(refund("R1", order_number="A1")) == ["duplicate"]


def test_an_order_that_stops_counting_gives_the_first_and_last_times_back() -> None:
    for number, days in (("A1", 0), ("A2", 5), ("A3", 2)):
        land(order(number, ordered_at=(AT + timedelta(days=days)).isoformat()))
    one = MemberSummary.objects.get()
    assert (one.first_order_at, one.last_order_at) == (AT, AT + timedelta(days=5))
    land(refund("R2", order_number="A2", amount="100"))
    land(order("A1", state="closed", version_at=NOW.isoformat()))
    one.refresh_from_db()
    assert (one.first_order_at, one.last_order_at) == (AT + timedelta(days=2), AT + timedelta(days=2))


def test_an_order_stays_with_its_member_when_another_is_named_later() -> None:
    land(order("A1"))
    assert land(order("A1", member={"app_user": "u2"}, state="completed")) == ["updated"]
    assert MergeCandidate.objects.count() == 1
    assert Order.objects.get().member_id == MergeCandidate.objects.get().first_id


def test_what_is_refused_leaves_nothing_behind() -> None:
    outcomes = land(
        order("A1", store="nowhere", member={"app_user": "u2"}),
        order("A2", currency="USD", member={"app_user": "u3"}),
        order("A3", member={"member_id": 10**9}),
        order("A4"),
    )
    assert outcomes == [
        "rejected unknown_store store",
        "rejected invalid currency",
        "rejected unknown_member member.member_id",
        "accepted",
    ]
    assert MemberSummary.objects.count() == 1
    land(order("A4", amount="50", version_at=NOW.isoformat(), refunds=[back("R1", "50")]))
    # A refused version must not make the member that only it names.
    assert land(order("A4", state="closed", version_at=NOW.isoformat(), amount="49", member={"app_user": "u9"})) == [
        "rejected out_of_range amount"
    ]
    assert MemberSummary.objects.count() == 1


def test_a_sources_currency_is_its_own() -> None:
    Source.objects.create(key="uk", currency="GBP")
    assert land(order("A1", source="uk", currency="GBP"), order("A2", source="uk", currency="CNY")) == [
        "accepted",
        "rejected invalid currency",
    ]


def test_a_refused_order_leaves_its_number_free() -> None:
    assert land(order("A1")) == ["accepted"]  # the member is known from here on
    too_much = order("A2", refunds=[back("R1", "100.01")])
    assert land(too_much, order("A3")) == ["rejected out_of_range refunds", "accepted"]
    assert land(order("A2", refunds=[back("R1", "100.00")])) == ["accepted"]
