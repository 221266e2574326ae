"""Conditions that cannot be used any more, or never could: the leaf is named, and nothing is computed from them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.db import connection

from members.models import EventType
from scrm.common import conditions
from scrm.common.access import Role
from scrm.common.conditions import BadCondition, fields
from tags.models import Segment, Tag, TagGroup
from tags.queries import segments
from tests.factories import NOW, client_as, make_member

pytestmark = pytest.mark.django_db


def in_segment(segment_id: int) -> dict[str, Any]:
    return {"field": "segment", "op": "any_of", "value": [segment_id]}


def test_segments_in_a_circle_name_the_leaf() -> None:
    one = Segment.objects.create(name="一", condition={"field": "age", "op": "set"})
    two = Segment.objects.create(name="二", condition={"all": [in_segment(one.pk)]})
    Segment.objects.filter(pk=one.pk).update(condition={"any": [{"field": "age", "op": "set"}, in_segment(two.pk)]})
    node = conditions.parse({"all": [{"field": "age", "op": "set"}, {"none": [in_segment(one.pk)]}]})
    for use in (conditions.compile_condition, conditions.compile_flip):
        with pytest.raises(BadCondition) as caught:
            use(node, as_of=NOW)
        assert (caught.value.code, caught.value.detail["field"]) == ("cycle", "/all/1/none/0")
    with pytest.raises(BadCondition):
        conditions.explain(node, member_id=make_member().pk, as_of=NOW)
    assert conditions.dependencies(node) >= {f"segment:{one.pk}", f"segment:{two.pk}", "profile"}


@pytest.mark.parametrize(
    ("leaf", "gone"),
    [
        ({"field": "tag", "op": "any_of", "value": [0]}, lambda tag: tag.delete()),
        ({"field": "tag.weight", "op": "ge", "value": 1, "with": {"tag": 0}}, lambda tag: tag.delete()),
        ({"field": "event", "op": "true", "with": {"type": ["once"]}}, lambda tag: EventType.objects.all().delete()),
    ],
)
def test_what_a_saved_condition_names_may_be_gone(leaf: dict[str, Any], gone: Any) -> None:
    EventType.objects.create(key="once")
    tag = Tag.objects.create(group=TagGroup.objects.create(name="组"), name="签")
    if leaf.get("value") == [0]:
        leaf = {**leaf, "value": [tag.pk]}
    if leaf.get("with") == {"tag": 0}:
        leaf = {**leaf, "with": {"tag": tag.pk}}
    segment = Segment.objects.create(name="用到", condition={"any": [{"field": "age", "op": "set"}, leaf]})
    segments.audience_sql(segment, as_of=NOW)
    gone(tag)
    with pytest.raises(segments.BrokenSegment) as caught:
        segments.audience_sql(segment, as_of=NOW)
    assert [fault["path"] for fault in caught.value.detail["errors"]] == ["/any/1"]


def test_a_field_that_an_app_no_longer_registers_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    segment = Segment.objects.create(name="旧", condition={"all": [{"field": "age", "op": "set"}]})
    monkeypatch.delitem(fields._registry, "age")
    with pytest.raises(segments.BrokenSegment) as caught:
        segments.audience_sql(segment, as_of=NOW)
    assert caught.value.detail["errors"][0]["path"] == "/all/0"
    assert "age" in caught.value.detail["errors"][0]["message"]


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|a)*$", "(.*a){20}", "(x+x+)+y", "(.*)*(.*)*(.*)*(.*)*b", "(((((a*)*)*)*)*)*b", r"(\w+\s?)*!",
     ".*a.{50}b", "(a?){25}a{10}", "(.{0,5}a){8}z"],
)  # fmt: skip
def test_a_pattern_that_is_taken_cannot_hold_the_database_up(pattern: str) -> None:
    """Names made to hurt: each pattern looks at ten thousand of sixty letters."""
    node = conditions.parse({"field": "name", "op": "regex", "value": pattern})
    test = conditions.compile_condition(node, as_of=NOW)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE m ON COMMIT DROP AS"
            " SELECT CASE g % 2 WHEN 0 THEN repeat('a', 60) ELSE repeat('ab', 30) END AS name"
            " FROM generate_series(1, 10000) g"
        )
        started = time.monotonic()
        cursor.execute(f"SELECT count(*) FROM m WHERE {test.text}", test.params)
        assert time.monotonic() - started < 5
        cursor.execute("DROP TABLE m")


def test_the_api_tells_every_fault_and_never_fails() -> None:
    client = client_as(Role.OPERATOR)
    deep: Any = {"field": "age", "op": "set"}
    for _ in range(60):
        deep = {"all": [deep]}
    for condition, code in (
        ({"all": []}, "empty"),
        (deep, "too_deep"),
        ({"all": [{"field": "attribute.gone", "op": "set"}]}, "unknown_field"),
        ({"field": "age", "op": "contains", "value": "1"}, "wrong_operator"),
        ({"field": "name", "op": "regex", "value": "(?=a)"}, "bad_value"),
        ("x", "not_an_object"),
    ):
        answer = client.post("/api/v1/segments/preview", {"condition": condition}, content_type="application/json")
        assert answer.status_code == 422, answer.content
        assert answer.json()["code"] == code
    text = '{"condition": ' + '{"all":[' * 1_000 + '{"field":"age","op":"set"}' + "]}" * 1_000 + "}"
    answer = client.post("/api/v1/segments/preview", text, content_type="application/json")
    assert answer.status_code in (400, 422)
