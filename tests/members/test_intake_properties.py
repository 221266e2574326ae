"""Whatever comes in whatever order: summaries equal a recomputation, and no body brings the intake down."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from members.models import MemberSummary, Order
from members.operations import intake, summaries
from members.rules.intake import EventIn, MemberIn, OrderIn, RefundIn, read_item
from scrm.common import api_keys
from scrm.common.access import SYSTEM
from tests.factories import NOW

AT = datetime(2026, 10, 1, tzinfo=UTC)
people = st.integers(1, 3).map(lambda n: {"app_user": f"u{n}"})
cents = st.integers(1, 400).map(lambda n: str(Decimal(n) / 100))
instants = st.integers(0, 40).map(lambda days: (AT + timedelta(days=days)).isoformat())
numbers = st.integers(1, 4).map(str)
refunds = st.fixed_dictionaries({"number": st.integers(1, 6).map(str), "amount": cents, "refunded_at": instants})
orders = st.fixed_dictionaries(
    {
        "number": numbers,
        "member": people,
        "state": st.sampled_from(["created", "paid", "shipped", "completed", "closed"]),
        "ordered_at": instants,
        "version_at": instants,
        "amount": cents,
        "refunds": st.lists(refunds, max_size=2),
    }
).map(lambda raw: ("order", raw))
lone_refunds = st.builds(
    lambda raw, order, member: ("refund", raw | order | member),
    refunds,
    st.one_of(st.just({}), numbers.map(lambda number: {"order_number": number})),
    people.map(lambda who: {"member": who}),
)
events = st.builds(
    lambda n, who, at: ("event", {"message_id": str(n), "type": "t", "member": who, "occurred_at": at}),
    st.integers(1, 5),
    people,
    instants,
)
batches = st.lists(st.lists(st.one_of(orders, lone_refunds, events), min_size=1, max_size=4), max_size=6)


class SummariesTest(TestCase):
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(batches)
    def test_summaries_and_orders_equal_a_recomputation(self, history: Any) -> None:
        for batch in history:
            for kind, struct, land in (
                ("order", OrderIn, intake.land_orders),
                ("refund", RefundIn, intake.land_refunds),
                ("event", EventIn, intake.land_events),
            ):
                items = [read_item(struct, raw) for what, raw in batch if what == kind]
                outcomes = land(items=items, now=NOW)  # type: ignore[operator]
                assert len(outcomes) == len(items)
        kept = list(MemberSummary.objects.order_by("pk").values())
        assert summaries.rebuild() == 0
        assert list(MemberSummary.objects.order_by("pk").values()) == kept
        for order in Order.objects.prefetch_related("refunds"):
            refunded = sum(refund.amount for refund in order.refunds.all())
            assert order.refunded_amount == refunded <= order.amount
            paid = order.state in ("paid", "shipped", "completed")
            assert order.counts == (paid and (refunded == 0 or refunded < order.amount))


SEEDS: dict[str, list[dict[str, Any]]] = {
    "events": [
        {"message_id": "m", "type": "t", "occurred_at": AT.isoformat(), "member": {"phone": "13800000001"},
         "amount": "1.00", "properties": {"a": [1, "x", {"b": None}]}},
    ],
    "orders": [
        {"number": "N", "state": "paid", "ordered_at": AT.isoformat(), "amount": "9.99", "member": {"email": "a@b.cn"},
         "lines": [{"sku": "K", "quantity": 1, "unit_price": "9.99"}],
         "refunds": [{"number": "R", "amount": "1", "refunded_at": AT.isoformat()}]},
    ],
    "refunds": [{"number": "R", "order_number": "N", "amount": "1", "refunded_at": AT.isoformat(),
                 "member": {"app_user": "u"}}],
    "members": [{"phone": "13800000001", "name": "李华", "birth_on": "1990-01-01", "attributes": {"size": "M"}}],
}  # fmt: skip
PIECES = [
    b"null", b"-1", b"1e400", b"10000000000000000000000000000000", b'"\\u0000"', b'"\\ud800"', b"[]", b"{}", b"true",
    b'"' + b"x" * 2000 + b'"', b"\xff", b"NaN", b"[[[[[[[[[[[[]]]]]]]]]]]]", b'"=1+1"', b"",
    b'"0001-01-01T00:00:00+14:00"',
]  # fmt: skip


def mutated(body: bytes, chance: random.Random) -> bytes:
    """The body with a few values or bytes replaced."""
    for _ in range(chance.randrange(1, 4)):
        place = chance.randrange(len(body) + 1)
        if chance.random() < 0.6:
            start = body.find(b":", place) + 1
            end = min((e for e in (body.find(b",", start), body.find(b"}", start)) if e >= 0), default=len(body))
            body = body[:start] + chance.choice(PIECES) + body[end:]
        else:
            body = body[:place] + bytes([chance.randrange(256)]) + body[place + chance.randrange(2) :]
    return body


@pytest.mark.django_db
@pytest.mark.parametrize("what", SEEDS)
def test_no_body_brings_the_intake_down(what: str) -> None:
    secret = api_keys.create(name="fuzz", scopes=["facts.write"], actor=SYSTEM)[1]
    chance = random.Random(what)
    client, headers = Client(), {"Authorization": f"Api-Key {secret}"}
    seen = set()
    for _ in range(150):
        body = mutated(json.dumps(SEEDS[what]).encode(), chance)
        response = client.post(f"/api/v1/{what}/batch", body, content_type="application/json", headers=headers)
        assert response.status_code in {200, 400}, (response.status_code, body)
        seen.add(response.status_code)
    assert seen == {200, 400}
    assert summaries.rebuild() == 0


@pytest.mark.django_db
def test_profiles_are_made_and_brought_up_to_date() -> None:
    def land(*raw: dict[str, Any]) -> list[str]:
        items = [read_item(MemberIn, one) for one in raw]
        return [one.status for one in intake.land_members(items=items, now=NOW)]

    first = {"phone": "13800000001", "name": "李华", "city": "上海", "attributes": {"size": "M"}}
    assert land(first) == ["accepted"]
    assert land(first) == ["duplicate"]
    assert land({"phone": "13800000001", "city": "", "attributes": {"colour": "red"}}) == ["updated"]
    member = MemberSummary.objects.select_related("member").get().member
    assert (member.name, member.city, member.attributes) == ("李华", "", {"size": "M", "colour": "red"})
    assert land({"phone": "13800000001", "store": "nowhere"}) == ["rejected"]
