"""Segments: saved conditions, snapshots, what depends on what, and what a person with a narrow scope sees."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import translation

from members.models import Consent, Member
from members.queries.scopes import actor_of
from scrm.common import conditions
from scrm.common.access import SYSTEM, DataScope, Role
from scrm.common.errors import Conflict, Invalid
from tags.models import Segment, SegmentMember
from tags.operations import segments as operations
from tags.queries import segments
from tests.factories import NOW, client_as, make_member, make_order, make_staff, make_store, make_user
from tests.tags.watching import make_rule, make_tag

pytestmark = pytest.mark.django_db

SHANGHAI = {"all": [{"field": "city", "op": "eq", "value": "上海"}]}


def in_segment(segment_id: int) -> dict[str, Any]:
    return {"field": "segment", "op": "any_of", "value": [segment_id]}


def audience(segment: Segment) -> set[int]:
    sql, params = segments.audience_sql(segment, as_of=NOW)
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return {row[0] for row in cursor.fetchall()}


def make_segment(name: str = "上海会员", condition: Any = None) -> Segment:
    return operations.create(name=name, condition=condition or SHANGHAI, now=NOW)


def test_a_segment_is_counted_when_saved_and_follows_its_members() -> None:
    ann, _ben = make_member(city="上海"), make_member(city="杭州")
    segment = make_segment()
    assert (segment.member_count, segment.counted_at, segment.version) == (1, NOW, 1)
    assert audience(segment) == {ann.pk}
    cat = make_member(city="上海")
    assert audience(segment) == {ann.pk, cat.pk}
    assert segments.count(segment, as_of=NOW) == 2
    assert operations.recount(segment_id=segment.pk, now=NOW + timedelta(hours=1)).member_count == 2


def test_the_audience_can_be_asked_about_a_few_members_only() -> None:
    ann, ben = make_member(city="上海"), make_member(city="上海")
    sql, params = segments.audience_sql(make_segment(), as_of=NOW, member_ids=[ben.pk])
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        assert cursor.fetchall() == [(ben.pk,)]
    assert ann.pk != ben.pk


def test_a_snapshot_stays_as_it_was() -> None:
    ann = make_member(city="上海")
    segment = make_segment()
    frozen = operations.snapshot(segment_id=segment.pk, now=NOW)
    assert (frozen.name, frozen.kind, frozen.member_count, frozen.origin_id) == (
        "上海会员 2026-11-21", "snapshot", 1, segment.pk,
    )  # fmt: skip
    Member.objects.update(city="杭州")
    assert audience(segment) == set()
    assert audience(frozen) == {ann.pk}
    assert operations.snapshot(segment_id=segment.pk, now=NOW).name == "上海会员 2026-11-21 2"
    assert SegmentMember.objects.count() == 1


def test_saving_over_somebody_elses_change_is_a_conflict() -> None:
    segment = make_segment()
    mine = {"segment_id": segment.pk, "name": "我的", "condition": SHANGHAI, "now": NOW}
    assert operations.update(version=1, **mine).version == 2
    with pytest.raises(Conflict) as caught:
        operations.update(version=1, **mine)
    assert (caught.value.code, caught.value.detail["version"]) == ("stale", 2)
    with pytest.raises(Conflict):
        operations.update(version=1, **{**mine, "segment_id": operations.snapshot(segment_id=segment.pk, now=NOW).pk})


def test_names_are_unique() -> None:
    make_segment()
    with pytest.raises(Invalid) as caught:
        make_segment(" 上海会员 ")
    assert (caught.value.code, caught.value.detail["field"]) == ("name_taken", "name")
    assert segments.free_name("上海会员") == "上海会员 2"


def test_segments_can_contain_segments_but_not_themselves() -> None:
    make_member(city="上海")
    inner = make_segment("内")
    middle = make_segment("中", {"none": [in_segment(inner.pk)]})
    outer = make_segment("外", in_segment(middle.pk))
    assert (middle.member_count, outer.member_count) == (0, 0)
    with pytest.raises(Invalid) as caught:
        operations.update(segment_id=inner.pk, version=1, name="内", condition=in_segment(outer.pk), now=NOW)
    assert caught.value.code == "cycle"
    with pytest.raises(Invalid):
        operations.update(segment_id=inner.pk, version=1, name="内", condition=in_segment(inner.pk), now=NOW)
    assert [str(item) for item in segments.dependents(inner.pk)] == ["中"]


def test_what_uses_a_segment_is_listed_with_a_page_to_go_to() -> None:
    segment = make_segment("内")
    make_segment("外", in_segment(segment.pk))
    rule = make_rule(in_segment(segment.pk), make_tag("本地"))
    found = segments.dependents(segment.pk)
    assert [(item.kind, item.label) for item in found] == [("segment", "外"), ("rule", str(rule.tag))]
    client = client_as()
    assert client.get(f"/segments/{segment.pk}/").status_code == 200
    assert [client.get(item.url).status_code for item in found] == [200, 200]


def test_a_maze_of_segments_is_refused() -> None:
    last = make_segment("0")
    for depth in range(1, segments.MAX_NESTING):
        last = make_segment(str(depth), in_segment(last.pk))
    with pytest.raises(Invalid) as caught:
        make_segment("太深", {"all": [in_segment(make_segment("八", in_segment(last.pk)).pk)]})
    assert caught.value.code == "too_deep"


def test_a_segment_whose_field_is_gone_says_so() -> None:
    segment = make_segment()
    Segment.objects.filter(pk=segment.pk).update(condition={"all": [{"field": "gone", "op": "eq", "value": 1}]})
    segment.refresh_from_db()
    with pytest.raises(segments.BrokenSegment) as caught:
        segments.audience_sql(segment, as_of=NOW)
    fault = caught.value.detail["errors"][0]
    assert (fault["path"], fault["code"]) == ("/all/0", "unknown_field")
    assert "gone" in fault["message"]
    page = client_as().get(f"/segments/{segment.pk}/")
    assert page.status_code == 200
    assert client_as().get(f"/segments/{segment.pk}/edit/").status_code == 200


def test_a_preview_counts_whom_one_sees_and_how_they_can_be_reached() -> None:
    store = make_store()
    mine = make_member(city="上海", store=store, email="a@example.com")
    make_member(city="上海", email="b@example.com")
    make_member(city="上海", store=store)
    make_member(city="杭州", store=store)
    for member in Member.objects.all():
        Consent.objects.create(member=member, channel="email", purpose="marketing", state="granted", at=NOW)
    node = conditions.parse(SHANGHAI)
    everything = segments.preview(node=node, actor=SYSTEM, as_of=NOW)
    assert (everything.total, everything.everyone, everything.reachable["email"]) == (3, 4, 2)
    staff = make_staff(store=store)
    scoped = actor_of(make_user(scope=DataScope.STORE, staff=staff))
    seen = segments.preview(node=node, actor=scoped, as_of=NOW)
    assert (seen.total, seen.everyone, seen.reachable) == (2, 3, {"email": 1, "sms": 0, "wecom": 0, "sandbox": 2})
    assert mine.pk in seen.sample_ids
    assert len(seen.sample_ids) == 2


def test_condition_sentences_in_both_languages() -> None:
    node = conditions.parse(
        {
            "all": [
                {"field": "order.sum", "op": "ge", "value": "199", "window": {"last": {"n": 90, "unit": "day"}}},
                {
                    "any": [
                        {"field": "city", "op": "in", "value": ["上海", "杭州"]},
                        {"field": "birthday", "op": "not_set"},
                    ]
                },
                {"none": [{"field": "gender", "op": "eq", "value": "m"}]},
            ]
        }
    )
    with translation.override("en"):
        assert conditions.describe(node) == (
            "Order amount (net) (last 90 days) ≥ ¥199.00 and (City is any of “上海”, “杭州” or Birthday is not known)"
            " and none of (Gender is Male)"
        )
    with translation.override("zh-hans"):
        assert conditions.describe(node) == (
            "订单净额（最近 90 天） ≥ ¥199.00，且（城市 属于 “上海”、“杭州”，或生日 未知），"
            "且以下都不满足（性别 等于 男）"
        )


# Pages ---------------------------------------------------------------------------------------------------------


def test_the_builder_saves_and_opens_the_segment() -> None:
    make_member(city="上海")
    client = client_as()
    assert client.get("/segments/new/").status_code == 200
    answer = client.post("/segments/new/", {"name": "沪", "description": "", "condition": json.dumps(SHANGHAI)})
    segment = Segment.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/segments/{segment.pk}/")
    page = client.get(f"/segments/{segment.pk}/").content.decode()
    assert f'href="/members/?segment={segment.pk}"' in page
    assert f"?segment={segment.pk}" in page
    assert client.get("/segments/", {"q": "沪"}).content.decode().count("沪") >= 1


def test_a_wrong_condition_comes_back_with_the_fault_at_its_row() -> None:
    wrong = {"all": [{"field": "age", "op": "ge", "value": ""}]}
    answer = client_as().post("/segments/new/", {"name": "坏", "condition": json.dumps(wrong)})
    assert answer.status_code == 422
    assert "/all/0" in answer.content.decode()
    for body in ("", "{", "null", "[" * 5_000, '"\\u0000"', '{"all":' * 900 + "[]" + "}" * 900):
        assert client_as().post("/segments/new/", {"name": "坏", "condition": body}).status_code == 422
    assert not Segment.objects.exists()


def test_two_editors_are_told_about_each_other() -> None:
    segment, client = make_segment(), client_as()
    form = {"name": "沪", "description": "", "condition": json.dumps(SHANGHAI), "version": 1}
    assert client.post(f"/segments/{segment.pk}/edit/", form).status_code == 302
    answer = client.post(f"/segments/{segment.pk}/edit/", {**form, "name": "申"})
    assert answer.status_code == 422
    assert "申" in answer.content.decode()
    segment.refresh_from_db()
    assert (segment.name, segment.version) == ("沪", 2)


def test_another_page_prefills_the_builder() -> None:
    condition = json.dumps({"field": "rfm.class", "op": "eq", "value": "important_win_back"})
    page = client_as().get("/segments/new/", {"condition": condition, "name": "重要挽留"}).content.decode()
    assert "重要挽留" in page
    assert "important_win_back" in page
    assert client_as().get("/segments/new/", {"condition": "{"}).status_code == 200


def test_the_live_preview_never_fails_on_bad_input() -> None:
    ann, client = make_member(city="上海"), client_as()
    make_order(ann)

    def preview(body: Any) -> Any:
        answer = client.post("/segments/preview/", body, content_type="application/json")
        assert answer.status_code == 200
        return answer.json()

    good = preview(json.dumps(SHANGHAI))
    assert good["faults"] == []
    assert f'href="/members/{ann.pk}/"' in good["html"]
    for body in ("", "{", "[]", b"\xff\xfe", '{"all":' * 3_000, '{"all":[]}', json.dumps(in_segment(9))):
        bad = preview(body)
        assert bad["html"] is None
        assert bad["faults"][0]["code"]


def test_acts_on_a_segment() -> None:
    segment, client = make_segment(), client_as()
    assert client.post(f"/segments/{segment.pk}/snapshot/").status_code == 302
    assert client.post(f"/segments/{segment.pk}/duplicate/").status_code == 302
    assert client.post(f"/segments/{segment.pk}/archive/").status_code == 302
    assert client.post(f"/segments/{segment.pk}/nothing/").status_code == 404
    assert client.get(f"/segments/{segment.pk}/archive/").status_code == 405
    assert {(row.kind, row.origin_id) for row in segments.listed()} == {("snapshot", segment.pk), ("dynamic", None)}
    assert client.get("/segments/", {"state": "archived"}).status_code == 200
    assert client_as(Role.AUDITOR).post(f"/segments/{segment.pk}/restore/").status_code == 403
    assert client_as(Role.STORE_STAFF).get("/segments/").status_code == 403
