"""Events in conditions: narrowed by their properties, counted by days and values, in sequence, and fading."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import translation

from members.models import Event, EventType, Member
from scrm.common import conditions
from tests.factories import NOW, make_member, make_source

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def did(member: Member, kind: str, at: datetime, amount: int | None = None, **properties: Any) -> None:
    Event.objects.create(
        member=member,
        source=make_source("shop"),
        type=EventType.objects.get_or_create(key=kind)[0],
        message_id=f"{kind}{Event.objects.count()}",
        occurred_at=at,
        amount=amount,
        properties=properties,
    )


def holds(raw: dict[str, Any], member: Member, as_of: datetime = NOW) -> bool:
    """The answer, which explain has to give too."""
    node = conditions.parse(raw)
    test = conditions.compile_condition(node, as_of=as_of)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {test.text} FROM members_member m WHERE m.id = %s", [*test.params, member.pk])
        answer = cursor.fetchone()[0]
    reason = conditions.explain(node, member_id=member.pk, as_of=as_of)
    assert reason is not None
    assert reason.holds is answer
    return bool(answer)


def found(raw: dict[str, Any], member: Member) -> Any:
    reason = conditions.explain(conditions.parse(raw), member_id=member.pk, as_of=NOW)
    assert reason is not None
    return reason.found


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ({"property": "title", "op": "contains", "value": "育儿"}, True),
        ({"property": "title", "op": "contains", "value": "100%"}, True),
        ({"property": "title", "op": "contains", "value": "100_"}, False),
        ({"property": "title", "op": "starts", "value": "育儿"}, True),
        ({"property": "title", "op": "ends", "value": "育儿"}, False),
        ({"property": "title", "op": "not_contains", "value": "数码"}, True),
        ({"property": "nothing", "op": "not_contains", "value": "数码"}, False),
        ({"property": "nothing", "op": "ne", "value": "x"}, False),
        ({"property": "nothing", "op": "not_set"}, True),
        ({"property": "empty", "op": "set"}, False),
        ({"property": "null", "op": "not_set"}, True),
        ({"property": "seconds", "op": "ge", "value": 30}, True),
        ({"property": "seconds", "op": "gt", "value": 30.5}, False),
        ({"property": "seconds", "op": "eq", "value": 30.5}, True),
        ({"property": "seconds", "op": "eq", "value": "30.5"}, True),
        ({"property": "title", "op": "ge", "value": 1}, False),
        ({"property": "huge", "op": "ge", "value": 1}, False),
        ({"property": "title", "op": "ne", "value": 1}, True),
        ({"property": "title", "op": "not_in", "value": ["a", 1]}, True),
        ({"property": "product.sku", "op": "in", "value": ["A1", "A2"]}, True),
        ({"property": "product.sku", "op": "eq", "value": "A3"}, False),
        ({"property": "liked", "op": "eq", "value": True}, True),
        ({"property": "$amount", "op": "ge", "value": 12.5}, True),
        ({"property": "$amount", "op": "gt", "value": "12.50"}, False),
        ({"property": "'; DROP TABLE members_event; --", "op": "not_set"}, True),
    ],
)
def test_a_property_is_tested(test: dict[str, Any], expected: bool) -> None:
    member = make_member()
    did(
        member, "page_view", NOW - DAY, amount=1_250, title="育儿 100% 心得", seconds=30.5, empty="", null=None,
        product={"sku": "A1"}, liked=True, huge=10**40,
    )  # fmt: skip
    assert holds({"field": "event", "op": "true", "with": {"type": ["page_view"], "where": [test]}}, member) is expected


def test_all_tests_must_hold_on_the_same_event() -> None:
    member = make_member()
    did(member, "page_view", NOW - DAY, title="育儿", seconds=5)
    did(member, "page_view", NOW - DAY, title="数码", seconds=50)
    both = [{"property": "title", "op": "eq", "value": "育儿"}, {"property": "seconds", "op": "ge", "value": 30}]
    assert not holds({"field": "event", "op": "true", "with": {"type": ["page_view"], "where": both}}, member)
    first = {"type": ["page_view"], "where": both[:1]}
    assert found({"field": "event.count", "op": "ge", "value": 1, "with": first}, member) == 1


def test_days_values_and_amounts_are_added_up() -> None:
    member = make_member()
    at = datetime.fromisoformat("2026-11-20T23:30:00+08:00")
    did(member, "search", at, amount=100, keyword="茶")
    did(member, "search", at + HOUR, amount=250, keyword="茶")
    did(member, "search", at + HOUR, keyword="咖啡")
    did(member, "search", at + HOUR)
    counted = {"op": "ge", "value": 2}
    kinds = {"type": ["search"]}
    assert found({"field": "event.distinct", **counted, "with": kinds}, member) == 2
    assert found({"field": "event.distinct", **counted, "with": {**kinds, "property": "keyword"}}, member) == 2
    assert holds({"field": "event.distinct", "op": "eq", "value": 2, "with": {**kinds, "property": "keyword"}}, member)
    assert not holds({"field": "event.distinct", "op": "ge", "value": 1, "with": {**kinds, "property": "x"}}, member)
    assert holds({"field": "event.distinct", "op": "eq", "value": 0, "with": {**kinds, "property": "x"}}, member)
    assert found({"field": "event.amount", "op": "ge", "value": "3.50", "with": kinds}, member) == 350
    assert holds({"field": "event.amount", "op": "eq", "value": "3.50", "with": kinds}, member)


def sequence(n: int = 3, unit: str = "day", **more: Any) -> dict[str, Any]:
    return {
        "field": "event.sequence",
        "op": "true",
        "with": {
            "first": {"type": ["cart"], "where": [{"property": "sku", "op": "eq", "value": "A"}]},
            "then": {"type": ["pay", "cart"]},
            "within": {"n": n, "unit": unit},
        },
        **more,
    }


def test_one_event_follows_another_within_a_while() -> None:
    member = make_member()
    did(member, "pay", NOW - 11 * DAY)
    did(member, "cart", NOW - 10 * DAY, sku="A")
    assert not holds(sequence(), member)  # before it, and one event is not two
    did(member, "cart", NOW - 6 * DAY, sku="B")
    assert not holds(sequence(), member)
    assert holds(sequence(4), member)
    assert not holds(sequence(95, "hour"), member)
    assert holds(sequence(1, "week"), member)
    assert not holds(sequence(4, window={"last": 7}), member)  # the first is not in the window
    assert holds(sequence(4, window={"last": 11}), member)
    did(member, "pay", NOW - 10 * DAY)
    assert not holds(sequence(), member)  # at the same instant is not after
    did(member, "pay", NOW - 10 * DAY + timedelta(seconds=1))
    assert holds(sequence(1, "hour"), member)


def test_the_latest_first_step_is_what_a_second_one_follows() -> None:
    EventType.objects.create(key="pay")
    member = make_member()
    for days in (30, 20, 10):
        did(member, "cart", NOW - days * DAY, sku="A")
    assert not holds(sequence(9), member)
    assert holds(sequence(10), member)
    did(member, "pay", NOW - 8 * DAY)
    assert holds(sequence(2), member)


def test_weight_fades_by_half_each_half_life() -> None:
    member = make_member()
    for days in (0, 3, 6):
        did(member, "read", NOW - days * DAY)
    did(member, "read", NOW + DAY)  # what is to come weighs nothing yet
    did(member, "read", NOW - 3_000 * DAY)  # nor what is long ago
    leaf = {"field": "event.weight", "op": "ge", "value": 1.75, "with": {"type": ["read"], "half_life_days": 3}}
    assert float(found(leaf, member)) == 1.75
    assert holds(leaf, member)
    assert not holds(leaf, member, NOW + timedelta(seconds=1))
    assert holds({**leaf, "value": "0.8750"}, member, NOW + 3 * DAY) is True  # the one to come has come by then


@pytest.mark.parametrize(("days", "said"), [(30, "30"), (30.0, "30"), (1.5, "1.5"), (100, "100")])
def test_a_sentence_says_numbers_without_idle_zeros(days: float, said: str) -> None:
    EventType.objects.create(key="page")
    narrowing = {"type": ["page"], "half_life_days": days}
    weight = {"field": "event.weight", "op": "ge", "value": 2, "with": narrowing}
    with translation.override("en"):
        sentence = conditions.describe(conditions.parse(weight))
    assert sentence == f"Event weight (fading) (page, Half-life in days: {said}) ≥ 2"


def test_times_can_be_windowed() -> None:
    member = make_member()
    did(member, "visit", NOW - 40 * DAY)
    did(member, "visit", NOW - 3 * DAY)
    leaf = {"field": "event.first_at", "op": "in_last", "value": 5, "with": {"type": ["visit"]}}
    assert not holds(leaf, member)
    assert holds({**leaf, "window": {"last": 30}}, member)
    assert not holds({**leaf, "op": "set", "value": None, "window": {"last": 2}}, member)


@pytest.mark.parametrize(
    "narrowing",
    [
        {"type": ["x"], "where": {}},
        {"type": ["x"], "where": [{}]},
        {"type": ["x"], "where": [{"property": "a", "op": "like", "value": "b"}]},
        {"type": ["x"], "where": [{"property": "a", "op": "regex", "value": "b"}]},
        {"type": ["x"], "where": [{"property": "", "op": "set"}]},
        {"type": ["x"], "where": [{"property": "a..b", "op": "set"}]},
        {"type": ["x"], "where": [{"property": "a" * 101, "op": "set"}]},
        {"type": ["x"], "where": [{"property": "a\x00", "op": "set"}]},
        {"type": ["x"], "where": [{"property": "a", "op": "set", "value": 1}]},
        {"type": ["x"], "where": [{"property": "a", "op": "eq"}]},
        {"type": ["x"], "where": [{"property": "a", "op": "eq", "value": "\ud800"}]},
        {"type": ["x"], "where": [{"property": "a", "op": "eq", "value": float("nan")}]},
        {"type": ["x"], "where": [{"property": "a", "op": "ge", "value": float("inf")}]},
        {"type": ["x"], "where": [{"property": "a", "op": "ge", "value": True}]},
        {"type": ["x"], "where": [{"property": "a", "op": "ge", "value": "1e9"}]},
        {"type": ["x"], "where": [{"property": "a", "op": "in", "value": []}]},
        {"type": ["x"], "where": [{"property": "a", "op": "in", "value": ["b"] * 101}]},
        {"type": ["x"], "where": [{"property": "a", "op": "set"}] * 11},
        {"type": ["x"], "half_life_days": 3},
    ],
)
def test_a_broken_narrowing_is_refused(narrowing: dict[str, Any]) -> None:
    EventType.objects.create(key="x")
    with pytest.raises(conditions.BadCondition) as caught:
        conditions.parse({"all": [{"field": "event", "op": "true", "with": narrowing}]})
    assert caught.value.detail["errors"][0]["path"] == "/all/0"


@pytest.mark.parametrize(
    "narrowing",
    [
        {},
        {"first": {"type": ["x"]}, "then": {"type": ["x"]}},
        {"first": {"type": ["x"]}, "then": {"type": ["x"]}, "within": {"n": 1, "unit": "month"}},
        {"first": {"type": []}, "then": {"type": ["x"]}, "within": 1},
        {"first": {"type": ["y"]}, "then": {"type": ["x"]}, "within": 1},
        {"first": {"type": ["x"], "for": 1}, "then": {"type": ["x"]}, "within": 1},
        {"first": {"type": ["x"], "where": 3}, "then": {"type": ["x"]}, "within": 1},
        {"first": ["x"], "then": {"type": ["x"]}, "within": 1},
        {"first": {"type": "x"}, "then": {"type": ["x"]}, "within": 1},
        {"first": {"type": ["x"]}, "then": {"type": ["x"]}, "within": 0},
    ],
)
def test_a_broken_sequence_is_refused(narrowing: dict[str, Any]) -> None:
    EventType.objects.create(key="x")
    with pytest.raises(conditions.BadCondition):
        conditions.parse({"field": "event.sequence", "op": "true", "with": narrowing})
