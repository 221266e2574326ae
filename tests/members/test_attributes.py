"""The brand's own fields of a profile: declared, shown, used in conditions, and withdrawn."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from members.models import Attribute, Member
from members.operations import attributes as operations
from members.queries import attributes
from scrm.common import conditions
from scrm.common.access import Role
from scrm.common.conditions import BadCondition
from scrm.common.errors import Conflict, Invalid
from tags.models import Segment
from tags.queries import segments
from tests.factories import NOW, client_as, make_member

pytestmark = pytest.mark.django_db


def holders(raw: dict[str, Any]) -> set[int]:
    test = conditions.compile_condition(conditions.parse(raw), as_of=NOW)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT m.id FROM members_member m WHERE {test.text}", test.params)
        return {row[0] for row in cursor.fetchall()}


def leaf(op: str, value: Any = None, key: str = "a") -> dict[str, Any]:
    return {"field": f"attribute.{key}", "op": op, "value": value}


NUMBERS = [7, "7", 7.0, "7.5", "x", "", None, True, [7], {"a": 7}, 10**30, "9" * 40, "٣", " 7", 1e300]
DATES = ["2026-11-22", "2026-11-31", "2026-1-1", "0000-01-01", "infinity", "today", 20261122, None, "2026-11-22x"]


@pytest.mark.parametrize(
    ("kind", "held", "op", "value", "matching"),
    [
        ("number", NUMBERS, "eq", 7, [7, "7", 7.0]),
        ("number", NUMBERS, "ge", -5, [7, "7", 7.0]),
        ("date", DATES, "eq", "2026-11-22", ["2026-11-22"]),
        ("date", DATES, "set", None, ["2026-11-22"]),
        ("yes_no", [True, False, "true", "yes", 1, None], "in", ["true"], [True, "true"]),
        ("yes_no", [True, False, "true", "yes", 1, None], "ne", "true", [False]),
        ("choice", ["A", "B", "C", None, ["A"]], "in", ["A", "B"], ["A", "B"]),
        ("text", ["茶", "绿茶", 3, True, "", None, ["茶"]], "contains", "茶", ["茶", "绿茶"]),
        ("text", ["茶", 3, True, "", None, ["茶"], {"a": 1}], "set", None, ["茶", 3, True]),
        ("text", ["茶", "", None], "not_contains", "x", ["茶"]),
    ],
)
def test_a_value_of_the_wrong_type_counts_as_unset(
    kind: str, held: list[Any], op: str, value: Any, matching: list[Any]
) -> None:
    Attribute.objects.create(key="a", label="甲", type=kind, choices=["A", "B"] if kind == "choice" else [])
    members = {make_member(attributes={"a": one}).pk: repr(one) for one in held}
    make_member()
    found = {members[pk] for pk in holders(leaf(op, value))}
    assert found == {repr(one) for one in matching}


def test_a_date_attribute_turns_by_itself() -> None:
    Attribute.objects.create(key="baby", label="宝宝生日", type="date")
    member = make_member(attributes={"baby": "2025-12-01"})
    flip = conditions.compile_flip(conditions.parse(leaf("anniversary_next", 7, "baby")), as_of=NOW)
    assert flip is not None
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {flip.text} FROM members_member m WHERE m.id = %s", [*flip.params, member.pk])
        assert cursor.fetchone()[0].isoformat() == "2026-11-24T16:00:00+00:00"  # 25 November in Shanghai


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"key": " "}, "bad_key"),
        ({"key": "x" * 41}, "bad_key"),
        ({"key": "a\x00b"}, "bad_key"),
        ({"label": ""}, "bad_label"),
        ({"label": "x" * 41}, "bad_label"),
        ({"type": "blob"}, "unknown_type"),
        ({"type": "choice"}, "bad_choices"),
        ({"type": "choice", "choices": ["A", "A"]}, "bad_choices"),
        ({"type": "choice", "choices": [str(n) for n in range(201)]}, "bad_choices"),
        ({"key": "taken"}, "taken"),
    ],
)
def test_a_bad_declaration_is_refused(values: dict[str, Any], code: str) -> None:
    operations.create(key="taken", label="有了", type="text")
    with pytest.raises(Invalid) as caught:
        operations.create(**{"key": "k", "label": "名", "type": "text", **values})
    assert caught.value.code == code


def test_what_uses_a_field_is_listed_before_it_is_deleted_and_broken_after() -> None:
    attribute = operations.create(key="skin", label="肤质", type="choice", choices=["干性", "油性"])
    condition = {"all": [{"field": "age", "op": "set"}, leaf("in", ["干性"], "skin")]}
    segment = Segment.objects.create(name="干性肌肤", condition=condition)
    with pytest.raises(Conflict) as caught:
        operations.delete(attribute_id=attribute.pk, now=NOW)
    assert caught.value.code == "in_use"
    assert [one.label for one in attributes.dependents("skin")] == ["干性肌肤"]
    operations.delete(attribute_id=attribute.pk, even_if_used=True, now=NOW)
    with pytest.raises(segments.BrokenSegment) as broken:
        segments.audience_sql(segment, as_of=NOW)
    assert broken.value.detail["errors"] == [
        {"path": "/all/1", "code": "unknown_field", "message": "字段“attribute.skin”不存在（或已删除）。"}
    ]
    with pytest.raises(BadCondition):
        conditions.parse(condition)


def test_a_member_page_shows_labels_and_words() -> None:
    operations.create(key="baby", label="宝宝生日", type="date")
    operations.create(key="vip", label="贵宾", type="yes_no")
    member = make_member(attributes={"baby": "2025-12-01", "vip": True, "other": "x"})
    page = client_as(Role.OPERATOR).get(f"/members/{member.pk}/").content.decode()
    for text in ("宝宝生日", "2025-12-01", "贵宾", "other"):
        assert text in page


def test_an_administrator_declares_renames_and_deletes_on_pages() -> None:
    client = client_as(Role.ADMIN)
    assert client.get("/attributes/").status_code == 200
    new = {"key": "skin", "label": "肤质", "type": "choice", "choices": "干性\n油性\n"}
    assert client.post("/attributes/new/", new).status_code == 302
    attribute = Attribute.objects.get(key="skin")
    assert attribute.choices == ["干性", "油性"]
    assert client.post("/attributes/new/", new).status_code == 422
    changed = {"key": "other", "label": "肤质类型", "type": "text", "choices": "干性\n油性\n混合"}
    assert client.post(f"/attributes/{attribute.pk}/", changed).status_code == 302
    attribute.refresh_from_db()
    assert (attribute.key, attribute.type, attribute.label) == ("skin", "choice", "肤质类型")
    assert "肤质类型" in client.get("/attributes/").content.decode()
    Segment.objects.create(name="混合肌", condition=leaf("in", ["混合"], "skin"))
    assert "混合肌" in client.get(f"/attributes/{attribute.pk}/").content.decode()
    assert client.post(f"/attributes/{attribute.pk}/delete/").status_code == 302
    assert not Attribute.objects.exists()
    assert client.get(f"/attributes/{attribute.pk}/").status_code == 404


def test_only_administrators_may() -> None:
    client = client_as(Role.OPERATOR)
    assert client.get("/attributes/").status_code == 403
    assert client.get("/api/v1/attributes").status_code == 200
    made = client.post(
        "/api/v1/attributes", {"key": "a", "label": "甲", "type": "text"}, content_type="application/json"
    )
    assert made.status_code == 403


def test_the_api_declares_changes_and_deletes() -> None:
    client = client_as(Role.ADMIN)
    sent: dict[str, Any] = {"content_type": "application/json"}
    made = client.post("/api/v1/attributes", {"key": "a", "label": "甲", "type": "number"}, **sent)
    assert made.status_code == 201, made.content
    address = f"/api/v1/attributes/{made.json()['id']}"
    assert client.put(address, {"label": "乙"}, **sent).json()["label"] == "乙"
    assert client.get("/api/v1/attributes").json()["items"][0]["label"] == "乙"
    Segment.objects.create(name="用到", condition=leaf("set"))
    refused = client.delete(address)
    assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
    assert client.delete(f"{address}?even_if_used=true").status_code == 204
    assert client.get(address).status_code == 404


def test_a_profile_that_comes_in_touches_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    from members.operations import intake  # noqa: PLC0415
    from members.rules.intake import IdentityIn, MemberIn  # noqa: PLC0415
    from scrm.common import reactions  # noqa: PLC0415

    heard: list[frozenset[str]] = []
    monkeypatch.setattr(reactions, "_reactions", [lambda facts, _signatures: heard.append(facts.topics)])
    one = MemberIn(source="shop", identities=[IdentityIn("number", "M1")], attributes={"a": 1})
    intake.land_members(items=[one], now=NOW + timedelta(days=1))
    intake.land_members(items=[one], now=NOW + timedelta(days=1))
    assert heard == [frozenset({"created", "profile", "identity", "attribute"})]
    assert Member.objects.count() == 1
