"""What is published about conditions: the schema, the guide with its examples, and the list of fields."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
from django.core.management import call_command
from django.db import connection
from django.utils.translation import override

from analytics.models import RfmModel
from members.models import Attribute, EventType, Product
from scrm.common import conditions
from scrm.common.access import Role
from scrm.common.conditions import BadCondition, fields
from scrm.common.conditions.fields import Param, ParamKind
from scrm.common.conditions.operators import OPERANDS, FieldType, Operand
from tags.management.commands import condition_docs
from tags.models import Segment, Tag, TagGroup
from tests.factories import NOW, client_as, make_member, make_store

pytestmark = pytest.mark.django_db

GUIDE = condition_docs.GUIDE.read_text()
EXAMPLES = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)]


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(conditions.json_schema())
    return jsonschema.Draft202012Validator(conditions.json_schema())


@pytest.fixture
def brand() -> None:
    """What the examples name."""
    for key in ("page_view", "search", "add_to_cart", "purchase"):
        EventType.objects.create(key=key)
    for code in ("S3", "S4"):
        make_store(code, pk=int(code[1]))
    group = TagGroup.objects.create(pk=2, name="组")
    Tag.objects.create(pk=12, group=group, name="签")
    for pk in (7, 8):
        Segment.objects.create(pk=pk, name=f"群{pk}", kind="static")
    RfmModel.objects.get_or_create(pk=2, defaults={"name": "二"})
    Attribute.objects.create(key="skin", label="肤质", type="choice", choices=["干性"])
    Attribute.objects.create(key="baby_born_on", label="宝宝生日", type="date")
    Product.objects.create(sku="P1", category="茶")


def test_the_files_in_docs_are_current() -> None:
    """`manage.py condition_docs` writes them."""
    assert condition_docs.SCHEMA.read_text() == condition_docs.schema_text()
    assert condition_docs.guide_text(GUIDE) == GUIDE


@pytest.mark.usefixtures("brand")
def test_nothing_of_a_brand_is_in_the_published_schema() -> None:
    assert "skin" not in condition_docs.schema_text()
    assert condition_docs.SCHEMA.read_text() == condition_docs.schema_text()


@pytest.mark.usefixtures("brand")
@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_of_the_guide_works(example: dict[str, Any], schema: jsonschema.Draft202012Validator) -> None:
    schema.validate(example)
    node = conditions.parse(example)
    member = make_member(attributes={"baby_born_on": "2025-12-01"})
    assert conditions.explain(node, member_id=member.pk, as_of=NOW) is not None
    conditions.compile_flip(node, as_of=NOW)
    for language in ("en", "zh-hans"):
        with override(language):
            assert conditions.describe(node)


def test_there_are_some_twenty_examples() -> None:
    assert len(EXAMPLES) >= 20


def sample(kind: FieldType, operand: Operand, choice: Any) -> Any:
    one: Any = {
        FieldType.TEXT: "茶", FieldType.INTEGER: 3, FieldType.DECIMAL: "1.25", FieldType.MONEY: "9.90",
        FieldType.DATE: "2026-01-31", FieldType.DATETIME: "2026-01-31",
    }.get(kind, choice)  # fmt: skip
    return {
        Operand.NONE: None, Operand.VALUE: one, Operand.PAIR: [one, one], Operand.LIST: [one], Operand.PATTERN: "^茶",
        Operand.DURATION: {"n": 2, "unit": "week"}, Operand.DAYS: 7, Operand.MONTHS: [1, 12], Operand.MONTH_DAYS: [31],
    }[operand]  # fmt: skip


def param_sample(param: Param) -> Any:
    choice = param.choices()[0].value if param.choices is not None and param.choices() else "P1"
    tests = [{"property": "a.b", "op": "contains", "value": "茶"}, {"property": "n", "op": "ge", "value": 1.5}]
    match param.kind:
        case ParamKind.NUMBER:
            return param.minimum
        case ParamKind.DURATION:
            return {"n": 1, "unit": param.units[0]}
        case ParamKind.WHERE:
            return tests
        case ParamKind.STEP:
            return {"type": [choice], "where": tests}
        case _:
            return [choice] if param.many else choice


def turning(node: conditions.Node, member_id: int) -> Any:
    flip = conditions.compile_flip(node, as_of=NOW)
    if flip is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {flip.text} FROM members_member m WHERE m.id = %s", [*flip.params, member_id])
        return cursor.fetchone()[0]


@pytest.mark.usefixtures("brand")
def test_every_field_and_operator_is_read_compiled_explained_said_and_in_the_schema(
    schema: jsonschema.Draft202012Validator,
) -> None:
    member = make_member(attributes={"skin": "干性"})
    seen = 0
    for field in fields.every():
        available = field.choices() if field.choices is not None else []
        choice = available[0].value if available else 1
        for op in field.operators:
            leaf = {"field": field.key, "op": op, "value": sample(field.type, OPERANDS[op], choice)}
            if leaf["value"] is None:
                del leaf["value"]
            if field.choices is not None and not available and OPERANDS[op] != Operand.NONE:
                continue  # nothing to choose from in this installation
            full = {param.key: param_sample(param) for param in field.params}
            least = {param.key: full[param.key] for param in field.params if param.required}
            for narrowing in (least, full) if field.params else (None,):
                if narrowing and any(
                    param.choices is not None and not param.choices() and param.kind == ParamKind.CHOICE
                    and param.key in narrowing
                    for param in field.params
                ):  # fmt: skip
                    continue
                one = {**leaf, **({"with": narrowing} if narrowing else {})}
                for whole in (one, {**one, "window": {"last": {"n": 1, "unit": "month"}}}):
                    if "window" in whole and not field.windowed:
                        continue
                    assert schema.is_valid(whole), whole
                    node = conditions.parse(whole)
                    assert conditions.describe(node)
                    conditions.dependencies(node)
                    told = turning(node, member.pk)
                    assert told is None or told > NOW
                    reason = conditions.explain(node, member_id=member.pk, as_of=NOW)
                    assert reason is not None
                    assert reason.holds in (True, False)
                    seen += 1
    assert seen > 700


@pytest.mark.parametrize(
    "raw",
    [
        {"all": []},
        {"field": "nothing", "op": "eq", "value": 1},
        {"field": "order.count", "op": "contains", "value": "1"},
        {"field": "order.count", "op": "ge"},
        {"field": "order.count", "op": "ge", "value": "many"},
        {"field": "order.count", "op": "ge", "value": 1, "surprise": 1},
        {"field": "order.count", "op": "ge", "value": 1, "with": {"colour": ["red"]}},
        {"field": "order.count", "op": "between", "value": [1]},
        {"field": "age", "op": "ge", "value": 1, "window": {"last": 3}},
        {"field": "birthday", "op": "anniversary_next", "value": 367},
        {"field": "event", "op": "true"},
        {"field": "event", "op": "true", "with": {"type": ["x"], "where": [{"property": "a", "op": "like"}]}},
        {"all": [{"field": "age", "op": "set"}], "any": [{"field": "age", "op": "set"}]},
        {"all": [{"all": [{"field": "age", "op": "set"}], "name": "x"}]},
        {"version": 2, "field": "age", "op": "set"},
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(raw: Any, schema: jsonschema.Draft202012Validator) -> None:
    assert not schema.is_valid(raw)
    with pytest.raises(BadCondition):
        conditions.parse(raw)


@pytest.mark.usefixtures("brand")
def test_the_list_of_fields_says_what_each_parameter_takes() -> None:
    described = {entry["key"]: entry for entry in conditions.describe_fields()}
    assert list(described) == [field.key for field in fields.every()]
    assert described["attribute.skin"]["choices"] == [{"value": "干性", "label": "干性"}]
    kinds = {param["key"]: param for param in described["event.weight"]["with"]}
    assert kinds["half_life_days"] == {
        "key": "half_life_days", "label": "半衰期（天）", "kind": "number", "many": True, "required": True,
        "choices": None, "minimum": 0.01, "maximum": 3650,
    }  # fmt: skip
    assert {"key": "contains", "label": "包含", "operand": "value"} in kinds["where"]["operators"]
    assert kinds["where"]["properties"][0]["value"] == "title"
    steps = {param["key"]: param for param in described["event.sequence"]["with"]}
    assert steps["within"]["units"] == ["hour", "day", "week"]
    assert steps["first"]["kind"] == "step"
    assert "page_view" in [choice["value"] for choice in steps["first"]["choices"]]


def test_the_api_publishes_both() -> None:
    client = client_as(Role.OPERATOR)
    assert client.get("/api/v1/conditions/schema").json() == json.loads(condition_docs.SCHEMA.read_text())
    assert len(client.get("/api/v1/conditions/fields").json()) >= 1


def test_the_command_writes_the_files(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condition_docs, "SCHEMA", tmp_path / "schema.json")
    monkeypatch.setattr(condition_docs, "GUIDE", tmp_path / "guide.md")
    (tmp_path / "guide.md").write_text(GUIDE)
    call_command("condition_docs")
    assert (tmp_path / "guide.md").read_text() == GUIDE
