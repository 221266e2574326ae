"""What a condition may look like, and how each fault is named."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from scrm.common import conditions
from scrm.common.conditions import BadCondition, fields

pytestmark = pytest.mark.django_db


def leaf(field: str = "order.count", op: str = "ge", value: Any = 1, **more: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value, **more}


def faults(raw: Any) -> list[tuple[str, str]]:
    with pytest.raises(BadCondition) as caught:
        conditions.parse(raw)
    return [(fault["path"], fault["code"]) for fault in caught.value.detail["errors"]]


def test_every_fault_is_named_by_its_place() -> None:
    raw = {
        "all": [
            leaf("nothing"),
            leaf(op="contains"),
            {"any": [leaf(value="many"), {"none": []}]},
            leaf(),
            "text",
        ]
    }
    assert faults(raw) == [
        ("/all/0", "unknown_field"),
        ("/all/1", "wrong_operator"),
        ("/all/2/any/0", "bad_value"),
        ("/all/2/any/1", "empty"),
        ("/all/4", "not_an_object"),
    ]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (None, "not_an_object"),
        ([], "not_an_object"),
        ({}, "unknown_field"),
        ({"all": []}, "empty"),
        ({"all": {}}, "not_a_list"),
        ({"all": [leaf()], "any": [leaf()]}, "unknown_key"),
        ({"version": 2, "all": [leaf()]}, "unknown_version"),
        (leaf(surprise=1), "unknown_key"),
        (leaf(value=None), "bad_value"),
        (leaf(value=True), "bad_value"),
        (leaf(value=1.5), "bad_value"),
        (leaf(value=10**30), "bad_value"),
        (leaf(value="9" * 400), "bad_value"),
        (leaf(op="between", value=[3, 1]), "bad_value"),
        (leaf("order.sum", "ge", "1e5"), "bad_value"),
        (leaf("order.sum", "ge", float("nan")), "bad_value"),
        (leaf("order.sum", "ge", float("inf")), "bad_value"),
        (leaf("order.sum", "ge", 1e300), "bad_value"),
        (leaf("order.sum", "ge", True), "bad_value"),
        (leaf("order.count", "eq", "٣"), "bad_value"),
        (leaf("birthday", "month", [True]), "bad_value"),
        (leaf("birthday", "anniversary_within", 0), "bad_value"),
        (leaf("joined_at", "in_last", {"n": True, "unit": "day"}), "bad_value"),
        (leaf("joined_at", "in_last", {"n": 1, "unit": "year"}), "bad_value"),
        (leaf("joined_at", "eq", "2026-11-22T10:00:00Z"), "bad_value"),
        (leaf("order.sum", "ge", "0.001"), "bad_value"),
        (leaf("gender", "in", []), "bad_value"),
        (leaf("gender", "in", ["x"]), "bad_value"),
        (leaf("gender", "in", [["f"]]), "bad_value"),
        (leaf("gender", "in", [{"f": 1}]), "bad_value"),
        (leaf("name", "eq", "a\x00b"), "bad_value"),
        (leaf("name", "eq", "\ud800"), "bad_value"),
        (leaf("name", "eq", "x" * 201), "bad_value"),
        (leaf("name", "regex", "("), "bad_value"),
        (leaf("name", "regex", "a" * 101), "bad_value"),
        (leaf("name", "regex", "(?=a)b"), "bad_value"),
        (leaf("name", "regex", "(?<!a)b"), "bad_value"),
        (leaf("name", "regex", "***=a"), "bad_value"),
        (leaf("name", "regex", "a{255}"), "bad_value"),
        (leaf("name", "regex", "(a?){50}a{50}"), "bad_value"),
        (leaf("name", "regex", "((a{1,9}){1,9}){1,9}"), "bad_value"),
        (leaf("name", "regex", "(.{0,50}x){1,50}"), "bad_value"),
        (leaf("name", "regex", r"(a)b\9"), "bad_value"),
        (leaf("name", "regex", r"(a)\1"), "bad_value"),
        (leaf("name", "in", ["x"] * 1_001), "bad_value"),
        (leaf("birthday", "in_last", {"n": 3, "unit": "hour"}), "bad_value"),
        (leaf("birthday", "in_last", {"n": 0, "unit": "day"}), "bad_value"),
        (leaf("birthday", "in_last", {"n": 10**9, "unit": "day"}), "bad_value"),
        (leaf("birthday", "before", "2026-02-30"), "bad_value"),
        (leaf("birthday", "before", "0001-01-01"), "bad_value"),
        (leaf("birthday", "month", [13]), "bad_value"),
        (leaf("birthday", "anniversary_next", 367), "bad_value"),
        (leaf("joined_at", "set", None), "wrong_operator"),
        (leaf("age", window={"last": 3}), "bad_value"),
        (leaf(window={"last": 3, "from": "2026-01-01"}), "bad_value"),
        (leaf(window={"from": "2026-02-01", "to": "2026-01-01"}), "bad_value"),
        (leaf(**{"with": {"colour": ["red"]}}), "bad_value"),
        (leaf(**{"with": {"store": [10**9]}}), "bad_value"),
        (leaf(**{"with": {"store": [[1]]}}), "bad_value"),
        (leaf("event", "true", None), "bad_value"),
        ({"field": ["x"], "op": {}}, "unknown_field"),
    ],
)
def test_refusals(raw: Any, code: str) -> None:
    assert faults(raw)[0][1] == code


def test_deep_nesting_is_refused_and_never_exhausts_the_stack() -> None:
    text = '{"all":[' * 1_000 + json.dumps(leaf()) + "]}" * 1_000
    with pytest.raises(BadCondition) as caught:
        conditions.parse(conditions.loads(text))
    assert caught.value.code == "too_deep"
    with pytest.raises(BadCondition) as caught:
        conditions.parse(conditions.loads('{"all":[' * 100_000))
    assert caught.value.code in ("too_deep", "not_json")


def test_twenty_levels_are_allowed_and_twenty_one_are_not() -> None:
    raw: dict[str, Any] = leaf()
    for _ in range(19):
        raw = {"all": [raw]}
    conditions.parse(raw)
    assert faults({"all": [raw]})[0][1] == "too_deep"


def test_two_hundred_leaves_are_allowed_and_more_are_not() -> None:
    conditions.parse({"any": [leaf()] * 200})
    assert faults({"any": [leaf()] * 201}) == [("/any/200", "too_many_leaves")]


@pytest.mark.parametrize(
    "pattern", ["^王", r"^1[3-9]\d{9}$", "(a+)+$", "(a|a)*$", "[[:alpha:]]{3,}", r"\({2}", "(?:ab){5}", "a{", "[]a]"]
)
def test_a_usual_pattern_is_taken(pattern: str) -> None:
    conditions.parse(leaf("name", "regex", pattern))


def test_a_list_of_ten_thousand_is_refused() -> None:
    assert faults({"any": [leaf("name", "in", [str(n) for n in range(10_000)])]}) == [("/any/0", "bad_value")]


def test_no_more_faults_are_told_than_anybody_reads() -> None:
    assert len(faults({"all": [{"all": []}] * 100_000})) == 100
    assert len(faults({"all": ["x"] * 100_000})) == 100


def test_a_refusal_can_be_written_whatever_was_sent() -> None:
    for raw in ('{"field": "age", "op": "set", "\\ud800": 1}', '{"field": "\\ud800", "op": "set"}', '{"\\ud800": 1}'):
        with pytest.raises(BadCondition) as caught:
            conditions.parse(conditions.loads(raw))
        json.dumps(caught.value.detail, ensure_ascii=False).encode()


def test_numbers_that_no_column_holds_are_refused() -> None:
    for text in ('{"field": "age", "op": "eq", "value": 1e999}', '{"field": "age", "op": "eq", "value": NaN}'):
        with pytest.raises(BadCondition):
            conditions.parse(conditions.loads(text))
    with pytest.raises(BadCondition) as caught:
        conditions.loads('{"value": ' + "9" * 5_000 + "}")
    assert caught.value.code == "not_json"


def test_a_bare_leaf_and_a_version_are_allowed() -> None:
    node = conditions.parse({"version": 1, **leaf("order.sum", "ge", "199.00")})
    assert isinstance(node, conditions.Leaf)
    assert node.value == 19_900


def test_the_published_schema_takes_what_the_parser_takes() -> None:
    schema = conditions.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    good = {
        "version": 1,
        "all": [leaf(window={"last": {"n": 9, "unit": "day"}}), {"none": [leaf("city", "set", None)]}],
    }
    conditions.parse(good)
    assert validator.is_valid(good)
    assert not validator.is_valid({"all": []})
    assert not validator.is_valid(leaf("nothing"))


def test_every_field_describes_itself() -> None:
    described = conditions.describe_fields()
    assert [entry["key"] for entry in described] == [field.key for field in fields.every()]
    assert all(entry["label"] and entry["group"] and entry["operators"] for entry in described)
