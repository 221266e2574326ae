"""A member's timeline: what merges in which order, what narrows it, and pages that lose nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from members.models import EventType, Member, OrderLine, Product, Refund
from members.operations import timeline as acts
from members.queries import timeline
from scrm.common import pagination
from scrm.common.access import Role
from scrm.common.errors import Invalid
from tests.factories import NOW, client_as, make_member, make_order, make_source, make_store

pytestmark = pytest.mark.django_db


def happen(member: Member, type: str, at: datetime, **properties: Any) -> None:
    """An event of that type on the member's timeline."""
    key = f"{member.pk}/{type}/{at.isoformat()}/{properties}"
    assert acts.append(source="test", type=type, rows=[(member.pk, key, at, properties)], now=NOW) == 1


def refund(member: Member, at: datetime, **values: Any) -> Refund:
    values = {"source": make_source(), "external_number": f"R{at.isoformat()}", "amount": 100} | values
    return Refund.objects.create(member=member, refunded_at=at, **values)


def shown(member: Member, kind: str = "") -> list[str]:
    return [entry.type_key or entry.kind for entry in timeline.of_member(member.pk, kind=kind).entries]


def walk(member: Member, *, size: int, kind: str = "") -> list[list[Any]]:
    """The ids of every page."""
    pages, cursor = [], None
    while True:
        page = timeline.of_member(member.pk, kind=kind, cursor=cursor, size=size)
        pages.append([entry.id for entry in page.entries])
        cursor = page.next_cursor
        if cursor is None:
            return pages


def test_everything_is_merged_latest_first() -> None:
    member = make_member()
    happen(member, "app.opened", NOW - timedelta(days=1))
    order = make_order(member, paid_at=NOW - timedelta(days=4))
    refund(member, NOW - timedelta(days=2), order=order)
    happen(member, "page.viewed", NOW - timedelta(days=5))
    refund(member, NOW - timedelta(days=6))
    make_order(member, state="created", ordered_at=NOW - timedelta(days=3))
    assert shown(member) == ["app.opened", "refund", "order", "order", "page.viewed", "refund"]


def test_another_members_facts_are_not_there() -> None:
    member, other = make_member(), make_member()
    happen(other, "app.opened", NOW)
    refund(other, NOW, order=make_order(other))
    assert shown(member) == []


def test_the_kinds_share_the_timeline_out_without_rest() -> None:
    member = make_member()
    refund(member, NOW - timedelta(hours=1), order=make_order(member, paid_at=NOW - timedelta(hours=2)))
    types = [
        "message.opened", "message.sent", "tag.added", "lifecycle.changed", "rfm.changed", "segment.entered",
        "consent.granted", "member.registered", "page.viewed", "cart.added", "sku.unheard-of",
    ]  # fmt: skip
    for hours, key in enumerate(types, start=3):
        happen(member, key, NOW - timedelta(hours=hours))
    assert shown(member, "purchases") == ["refund", "order"]
    assert shown(member, "messages") == types[:2]
    assert shown(member, "changes") == types[2:8]
    assert shown(member, "behaviour") == types[8:]
    assert sorted(shown(member)) == sorted(key for kind in timeline.KINDS for key in shown(member, kind))


def test_a_kind_of_which_nothing_was_ever_seen_is_empty() -> None:
    EventType.objects.all().delete()
    member = make_member()
    make_order(member)
    assert [shown(member, kind) for kind in timeline.KINDS] == [["order"], [], [], [], []]


def test_a_kind_that_is_none_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        timeline.of_member(make_member().pk, kind="x")
    assert (caught.value.code, caught.value.detail["field"]) == ("bad_kind", "kind")


@pytest.mark.parametrize("size", [1, 2, 3, 4, 11, 12, 13])
def test_pages_lose_and_repeat_nothing_when_all_happened_at_once(size: int) -> None:
    member = make_member()
    for number in range(4):
        order = make_order(member, paid_at=NOW)
        refund(member, NOW, order=order, external_number=f"R{number}")
        happen(member, "app.opened", NOW, number=number)
    whole = [entry.id for entry in timeline.of_member(member.pk, size=100).entries]
    assert len(set(whole)) == 12
    assert whole == sorted(whole, reverse=True)
    pages = walk(member, size=size)
    assert [id_ for page in pages for id_ in page] == whole
    assert all(len(page) == size for page in pages[:-1])
    assert len(pages) == -(-12 // size)


def test_pages_of_one_kind_are_the_whole_kind() -> None:
    member = make_member()
    for number in range(5):
        happen(member, "app.opened", NOW, number=number)
        make_order(member, paid_at=NOW)
    whole = [entry.id for entry in timeline.of_member(member.pk, kind="behaviour").entries]
    assert [id_ for page in walk(member, size=2, kind="behaviour") for id_ in page] == whole
    assert len(whole) == 5


def test_what_arrives_between_two_pages_moves_nothing() -> None:
    member = make_member()
    for day in range(4):
        happen(member, "app.opened", NOW - timedelta(days=day))
    first = timeline.of_member(member.pk, size=2)
    happen(member, "app.opened", NOW + timedelta(seconds=1))
    second = timeline.of_member(member.pk, size=2, cursor=first.next_cursor)
    assert [entry.at for page in (first, second) for entry in page.entries] == [
        NOW - timedelta(days=day) for day in range(4)
    ]
    assert second.next_cursor is None


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "W10",
        pagination.encode([1, "0"]),
        pagination.encode([NOW, "no uuid"]),
        pagination.encode([NOW, None]),
        pagination.encode([datetime.max.replace(tzinfo=UTC), 7]),
        "A" * 2_000,
    ],
)
def test_a_cursor_that_is_none_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid) as caught:
        timeline.of_member(make_member().pk, cursor=cursor)
    assert caught.value.code == "bad_cursor"


def test_an_order_tells_its_number_store_and_first_products() -> None:
    member = make_member()
    order = make_order(member, amount=600, external_number="A-1", store=make_store("S1"))
    for number, name in enumerate(["龙井", "", "普洱"], start=1):
        OrderLine.objects.create(
            member=member, order=order, line_number=number, quantity=1, unit_price="2.0000", amount=200,
            product=Product.objects.create(sku=f"T-{number}", name=name),
        )  # fmt: skip
    refund(member, NOW, order=order, amount=250, reason="破损")
    back, bought = timeline.of_member(member.pk).entries
    assert (bought.amount, bought.number, bought.state, bought.store) == (600, "A-1", "paid", "门店 S1")
    assert (bought.products, bought.line_count) == (["龙井", "T-2"], 3)
    assert (back.amount, back.number, back.state) == (250, "A-1", "破损")


def test_the_number_of_queries_does_not_grow_with_the_entries() -> None:
    member = make_member()

    def measured(orders: int) -> int:
        for _ in range(orders):
            make_order(member)
        with CaptureQueriesContext(connection) as captured:
            assert len(timeline.of_member(member.pk, size=100).entries) >= orders
        return len(captured)

    assert measured(1) == measured(20) == 2


@pytest.mark.parametrize("kind", ["", *timeline.KINDS])
def test_the_page_shows_each_kind(kind: str) -> None:
    member = make_member()
    make_order(member, external_number="A-1")
    happen(member, "tag.added", NOW, tags=["绿茶客"])
    answer = client_as(Role.OPERATOR).get(f"/members/{member.pk}/?tab=timeline&kind={kind}")
    assert answer.status_code == 200
    page = answer.content.decode()
    assert ("#A-1" in page) == (kind in ("", "purchases"))
    assert ("绿茶客" in page) == (kind in ("", "changes"))
