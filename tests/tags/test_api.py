"""The API of tags, segments and conditions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from scrm.common.access import DataScope, Role
from scrm.common.conditions import fields
from tags.models import MemberTag, Segment, Tag, TagGroup
from tests.factories import client_as, make_member, make_order, make_staff, make_store

pytestmark = pytest.mark.django_db

SHANGHAI = {"all": [{"field": "city", "op": "eq", "value": "上海"}]}


def post(client: Client, path: str, body: Any) -> Any:
    text = body if isinstance(body, str) else json.dumps(body)
    return client.post(f"/api/v1{path}", text, content_type="application/json")


def test_groups_and_tags_are_made_and_listed() -> None:
    client = client_as()
    group = post(client, "/tag-groups", {"name": "兴趣", "choice": "multiple"})
    assert group.status_code == 201
    tag = post(client, "/tags", {"group_id": group.json()["id"], "name": "茶", "valid_days": 30})
    assert (tag.status_code, tag.json()["group"]["name"], tag.json()["valid_days"]) == (201, "兴趣", 30)
    again = post(client, "/tags", {"group_id": group.json()["id"], "name": "茶"})
    assert (again.status_code, again.json()["code"]) == (422, "name_taken")
    listed = client.get("/api/v1/tags", {"q": "茶"}).json()
    assert [item["name"] for item in listed["items"]] == ["茶"]
    assert client.get("/api/v1/tag-groups").json()["items"][0]["name"] == "兴趣"


def test_a_tag_is_put_on_members_by_id_and_by_identity() -> None:
    tag = Tag.objects.create(group=TagGroup.objects.create(name="兴趣"), name="茶")
    ann, ben = make_member(phone="+8613800000001"), make_member(email="ben@example.com")
    body = {
        "member_ids": [ann.pk],
        "identities": [{"kind": "email", "value": "BEN@example.com"}, {"kind": "phone", "value": "13999999999"}],
        "reason": "门店",
    }
    client = client_as()
    answer = post(client, f"/tags/{tag.pk}/members", body)
    assert answer.json() == {"added": 2, "removed": 0, "unknown_identities": [1]}
    assert set(MemberTag.objects.values_list("member_id", flat=True)) == {ann.pk, ben.pk}
    assert post(client, f"/tags/{tag.pk}/members", {**body, "remove": True}).json()["removed"] == 2
    assert post(client, "/tags/999999/members", body).status_code == 404


def test_segments_are_previewed_made_and_read_page_by_page() -> None:
    people = sorted((make_member(city="上海") for _ in range(5)), key=lambda member: member.pk)
    make_order(people[0], paid_at=None)
    client = client_as()
    preview = post(client, "/segments/preview", {"condition": SHANGHAI}).json()
    assert (preview["total"], preview["everyone"]) == (5, 5)
    assert preview["sample_ids"] == [member.pk for member in reversed(people)]
    made = post(client, "/segments", {"name": "沪", "condition": SHANGHAI})
    assert (made.status_code, made.json()["condition"]) == (201, SHANGHAI)
    path, ids, cursor = f"/api/v1/segments/{made.json()['id']}/members", [], None
    while True:
        page = client.get(path, {"size": 2, **({"cursor": cursor} if cursor else {})}).json()
        ids += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert ids == [member.pk for member in people]


def test_every_fault_of_a_condition_is_named() -> None:
    wrong = {"all": [{"field": "age", "op": "ge", "value": "x"}, {"field": "?"}]}
    client = client_as()
    for path, body in (("/segments/preview", {"condition": wrong}), ("/segments", {"name": "n", "condition": wrong})):
        answer = post(client, path, body)
        assert answer.status_code == 422
        assert answer["Content-Type"] == "application/problem+json"
        assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [
            ("/all/0", "bad_value"), ("/all/1", "unknown_field"),
        ]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        "1",
        '{"condition": null}',
        '{"condition": {"field": "name", "op": "eq", "value": "\\u0000"}}',
        '{"condition": {"field": "bucket", "op": "ge", "value": 1e400}}',
        '{"condition":' + '{"all":[' * 400 + "]}" * 400 + "}",
        '{"condition":' * 5_000,
        '{"name": 5, "condition": NaN}',
    ],
)
def test_bad_bodies_are_refused_and_never_fatal(body: str) -> None:
    client = client_as()
    for path in ("/segments/preview", "/segments", "/tags", "/tag-groups"):
        assert 400 <= post(client, path, body).status_code < 500
    surrogate = '{"name": "\\ud800", "condition": {"field": "name", "op": "set"}}'
    assert post(client, "/segments", surrogate).status_code == 422
    assert not Segment.objects.exists()


def test_what_a_role_may_not_do() -> None:
    auditor = client_as(Role.AUDITOR)
    assert auditor.get("/api/v1/segments").status_code == 200
    assert post(auditor, "/segments", {"name": "n", "condition": SHANGHAI}).status_code == 403
    assert post(auditor, "/tags", {"group_id": 1, "name": "n"}).status_code == 403
    assert client_as(Role.STORE_STAFF).get("/api/v1/segments").status_code == 403
    assert Client().get("/api/v1/tags").status_code in (401, 403)


def test_nobody_foreign_is_counted_listed_or_tagged() -> None:
    store = make_store()
    mine, other = make_member(city="上海", store=store), make_member(city="上海")
    staff = make_staff(store=store)
    client = client_as(scope=DataScope.STORE, staff=staff)
    assert post(client, "/segments/preview", {"condition": SHANGHAI}).json()["sample_ids"] == [mine.pk]
    segment = Segment.objects.create(name="沪", condition=SHANGHAI)
    assert client.get(f"/api/v1/segments/{segment.pk}/members").json()["items"] == [mine.pk]
    tag = Tag.objects.create(group=TagGroup.objects.create(name="兴趣"), name="茶")
    assert post(client, f"/tags/{tag.pk}/members", {"member_ids": [mine.pk, other.pk]}).json()["added"] == 1


def test_the_language_describes_itself() -> None:
    client = client_as()
    described = client.get("/api/v1/conditions/fields").json()
    assert [entry["key"] for entry in described["fields"]] == [field.key for field in fields.every()]
    assert client.get("/api/v1/conditions/schema").json()["$schema"].endswith("2020-12/schema")


def test_a_wrong_cursor_is_refused_or_starts_over() -> None:
    segment = Segment.objects.create(name="沪", condition=SHANGHAI)
    client = client_as()
    for cursor in ("x", "W10", "bnVsbA", "WyJ4Il0", "WzEwMDAwMDAwMDAwMDAwMDAwMDAwMDAwXQ"):
        assert client.get(f"/api/v1/segments/{segment.pk}/members", {"cursor": cursor}).status_code < 500
