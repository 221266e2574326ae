"""What follows what: put into the cart and not bought, bought and seen again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from members.models import Event, EventType, Member
from scrm.common import conditions
from tests.factories import NOW, make_member, make_order, make_source

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _types() -> None:
    for key in ("cart", "pay"):
        EventType.objects.create(key=key)


def did(member: Member, kind: str, at: datetime, **properties: Any) -> None:
    Event.objects.create(
        member=member, source=make_source(), type=EventType.objects.get(key=kind), message_id=f"{kind}{at}",
        occurred_at=at, properties=properties,
    )  # fmt: skip


def ask(raw: dict[str, Any], member: Member, as_of: datetime = NOW) -> tuple[bool, datetime | None]:
    """The answer, and when it may turn."""
    node = conditions.parse(raw)
    test, flip = conditions.compile_condition(node, as_of=as_of), conditions.compile_flip(node, as_of=as_of)
    flip = flip or conditions.Sql("NULL::timestamptz")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {test.text}, {flip.text} FROM members_member m WHERE m.id = %s",
            [*test.params, *flip.params, member.pk],
        )
        answer, at = cursor.fetchone()
    return answer, at


def left(hours: int = 24, *, then: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Put into the cart, and no order within so many hours."""
    return {
        "field": "event.unfollowed",
        "op": "true",
        "with": {
            "first": {"type": ["cart"]},
            "then": then or {"type": ["$order"]},
            "within": {"n": hours, "unit": "hour"},
        },
        **more,
    }


def test_a_cart_is_left_when_its_time_is_over_and_not_before() -> None:
    member = make_member()
    assert ask(left(), member) == (False, None)
    did(member, "cart", NOW - 20 * HOUR)
    assert ask(left(), member) == (False, NOW + 4 * HOUR)
    assert ask(left(), member, NOW + 4 * HOUR) == (True, None)
    assert ask(left(window={"last": 3}), member, NOW + 4 * HOUR) == (True, NOW - 20 * HOUR + 3 * DAY)
    assert ask(left(window={"last": 3}), member, NOW - 20 * HOUR + 3 * DAY) == (False, None)


def test_an_order_in_time_redeems_the_cart_and_a_late_one_does_not() -> None:
    member = make_member()
    did(member, "cart", NOW - 5 * DAY)
    make_order(member, paid_at=NOW - 5 * DAY + 25 * HOUR)
    assert ask(left(), member)[0]
    assert not ask(left(25), member)[0]
    make_order(member, paid_at=NOW - 5 * DAY + HOUR, amount=100)
    assert not ask(left(), member)[0]
    dear = {"type": ["$order"], "where": [{"property": "$amount", "op": "ge", "value": 50}]}
    assert ask(left(then=dear), member)[0]
    assert ask(left(then={"type": ["pay"]}), member)[0]
    did(member, "cart", NOW - 3 * DAY)
    assert ask(left(), member)[0]
    assert not ask(left(window={"from": "2026-11-01", "to": "2026-11-17"}), member)[0]


def test_an_order_that_was_refunded_whole_redeems_nothing() -> None:
    member = make_member()
    did(member, "cart", NOW - 5 * DAY)
    make_order(member, paid_at=NOW - 5 * DAY + HOUR, amount=100, refunded_amount=100)
    assert ask(left(), member)[0]


def test_orders_take_part_in_sequences() -> None:
    member = make_member()
    again = {
        "field": "event.sequence",
        "op": "true",
        "with": {
            "first": {"type": ["$order"]},
            "then": {"type": ["$order", "cart"]},
            "within": {"n": 30, "unit": "day"},
        },
    }
    make_order(member, paid_at=NOW - 50 * DAY)
    assert ask(again, member) == (False, None)
    make_order(member, paid_at=NOW - 10 * DAY)
    assert not ask(again, member)[0]
    make_order(member, paid_at=NOW - 40 * DAY)
    assert ask(again, member)[0]
    assert not ask({**again, "window": {"last": 35}}, member)[0]
    did(member, "cart", NOW - 9 * DAY)
    assert ask({**again, "window": {"last": 35}}, member) == (True, NOW + 25 * DAY)
    assert conditions.dependencies(conditions.parse(again)) == {"created", "order", "event:cart"}


def test_an_order_has_no_properties() -> None:
    member = make_member()
    did(member, "cart", NOW - 5 * DAY)
    make_order(member, paid_at=NOW - 5 * DAY + HOUR)
    titled = {"type": ["$order"], "where": [{"property": "title", "op": "contains", "value": "茶"}]}
    assert ask(left(then=titled), member)[0]


def test_it_is_said_in_words() -> None:
    said = conditions.describe(conditions.parse(left(window={"last": 3})))
    for word in ("先：cart", "后：付款订单", "24 小时"):
        assert word in said
