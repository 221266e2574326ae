"""Groups and tags: colours, owners, order, archive, the mapping to WeCom, and what the page shows of many."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from members.queries.scopes import actor_of
from scrm.common.access import Actor, DataScope, Role
from scrm.common.errors import Conflict, Invalid
from scrm.common.models import AuditEntry, User
from tags.enums import TagKind
from tags.models import MemberTag, Tag, TagGroup, TagStatistic
from tags.operations import bulk, catalogue, mirroring, segments, tagging, undoing
from tags.operations.mirroring import Mapped
from tags.queries import coverage, recent, tag_dependents
from tags.queries import tagging as queries
from tags.queries.member_list import row_tags
from tests.factories import NOW, client_as, make_member, make_staff, make_store, make_user

pytestmark = pytest.mark.django_db


def make_group(name: str = "兴趣", **values: Any) -> TagGroup:
    return catalogue.create_group(name=name, **values)


def make_tag(name: str, group: TagGroup | None = None, **values: Any) -> Tag:
    group = group or TagGroup.objects.filter(name="兴趣").first() or make_group()
    return catalogue.create_tag(group_id=group.pk, name=name, **values)


# Groups.


def test_a_new_group_comes_last_and_moves_step_by_step() -> None:
    first, second, third = make_group("甲"), make_group("乙"), make_group("丙")

    def order() -> list[str]:
        return [group.name for group in queries.all_groups()]

    assert order() == ["甲", "乙", "丙"]
    catalogue.move_group(group_id=third.pk, earlier=True)
    assert order() == ["甲", "丙", "乙"]
    catalogue.move_group(group_id=first.pk, earlier=False)
    assert order() == ["丙", "甲", "乙"]
    catalogue.move_group(group_id=second.pk, earlier=False)  # already the last
    assert order() == ["丙", "甲", "乙"]


def test_only_a_group_without_any_tag_can_be_deleted() -> None:
    group = make_group()
    tag = make_tag("茶", group)
    catalogue.archive_tag(tag_id=tag.pk, now=NOW)
    with pytest.raises(Conflict) as caught:
        catalogue.delete_group(group_id=group.pk)
    assert (caught.value.code, caught.value.detail["count"]) == ("not_empty", 1)
    empty = make_group("空")
    catalogue.delete_group(group_id=empty.pk)
    assert [row.name for row in queries.all_groups()] == ["兴趣"]


# Tags.


def test_what_is_not_given_stays() -> None:
    owner = make_user(display_name="小林")
    tag = make_tag("茶", description="爱喝茶", valid_days=30, colour="red", owner_id=owner.pk)
    catalogue.update_tag(tag_id=tag.pk, name="茶友")
    tag.refresh_from_db()
    assert (tag.name, tag.description, tag.valid_days, tag.colour, tag.owner_id) == (
        "茶友", "爱喝茶", 30, "red", owner.pk,
    )  # fmt: skip
    assert tag.shown_colour == "red"
    catalogue.update_tag(tag_id=tag.pk, colour="")
    tag.refresh_from_db()
    assert tag.shown_colour == tag.group.colour == "blue"


def test_a_new_name_keeps_members_and_what_timelines_said() -> None:
    tag, member = make_tag("茶"), make_member()
    tagging.assign(member_ids=[member.pk], tag_ids=[tag.pk], now=NOW)
    catalogue.update_tag(tag_id=tag.pk, name="茶友")
    assert [entry.tag.name for entry in queries.of_member(member.pk, now=NOW)] == ["茶友"]
    [change] = coverage.latest_changes(tag.pk, actor=_everybody())
    assert (change.member_id, change.added) == (member.pk, True)


@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        ({"colour": "mauve"}, "bad_colour", "colour"),
        ({"owner_id": 999_999}, "bad_owner", "owner"),
        ({"valid_days": 0}, "bad_validity", "valid_days"),
        ({"description": "x" * 201}, "bad_description", "description"),
        ({"name": ""}, "bad_name", "name"),
        ({"wecom_tag_id": "a b"}, "wecom_bad_id", "wecom_tag_id"),
    ],
)
def test_refused_values_name_their_field(values: dict[str, Any], code: str, field: str) -> None:
    tag = make_tag("茶")
    with pytest.raises(Invalid) as caught:
        catalogue.update_tag(tag_id=tag.pk, **values)
    assert (caught.value.code, caught.value.detail["field"]) == (code, field)
    tag.refresh_from_db()
    assert (tag.name, tag.colour, tag.owner_id) == ("茶", "", None)


def test_an_inactive_user_owns_nothing_new() -> None:
    gone = make_user(is_active=False)
    with pytest.raises(Invalid) as caught:
        make_tag("茶", owner_id=gone.pk)
    assert caught.value.code == "bad_owner"


def test_a_tag_that_a_model_puts_on_is_not_archived_by_hand() -> None:
    tag = make_tag("价格敏感")
    Tag.objects.filter(pk=tag.pk).update(kind=TagKind.MODEL)
    with pytest.raises(Conflict) as caught:
        catalogue.archive_tag(tag_id=tag.pk, now=NOW)
    assert caught.value.code == "model_tag"


# The mapping to WeCom.


def test_wecom_limits_are_checked() -> None:
    tag = make_tag("很" * 31)
    with pytest.raises(Invalid) as caught:
        catalogue.update_tag(tag_id=tag.pk, wecom_tag_id="et001")
    assert (caught.value.code, caught.value.detail["field"]) == ("wecom_name_too_long", "name")
    with pytest.raises(Invalid) as caught:
        make_group("组" * 16, wecom_group_id="g1")
    assert caught.value.code == "wecom_name_too_long"
    make_tag("茶", wecom_tag_id="et002")
    with pytest.raises(Invalid) as caught:
        make_tag("酒", wecom_tag_id="et002")
    assert caught.value.code == "wecom_id_taken"


def test_a_company_has_room_for_so_many_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirroring, "MOST_TAGS", 2)
    for number in range(2):
        make_tag(f"标签{number}", wecom_tag_id=f"et{number}")
    with pytest.raises(Invalid) as caught:
        make_tag("第三个", wecom_tag_id="et3")
    assert caught.value.code == "wecom_full"


def test_a_mapping_file_is_taken_whole_also_when_ids_change_places() -> None:
    tea, wine = make_tag("茶", wecom_tag_id="et1"), make_tag("酒", wecom_tag_id="et2")
    changed = mirroring.load(rows=[Mapped(2, tea.pk, "et2", "g1"), Mapped(3, wine.pk, "et1", "g1")])
    assert changed == 3
    assert dict(Tag.objects.values_list("name", "wecom_tag_id")) == {"茶": "et2", "酒": "et1"}
    assert TagGroup.objects.get().wecom_group_id == "g1"


def test_a_faulty_mapping_file_changes_nothing_and_names_its_rows() -> None:
    tea, long = make_tag("茶"), make_tag("长" * 31)
    with pytest.raises(Invalid) as caught:
        mirroring.load(rows=[Mapped(2, tea.pk, "et1", ""), Mapped(3, long.pk, "et2", ""), Mapped(4, 10**9, "et3", "")])
    assert caught.value.code == "bad_mapping"
    assert [problem.line for problem in caught.value.detail["problems"]] == [3, 4]
    assert set(Tag.objects.values_list("wecom_tag_id", flat=True)) == {""}


def test_the_mapping_goes_out_and_comes_back_as_csv() -> None:
    tea, client = make_tag("茶"), client_as()
    lines = client.get("/tags/wecom/mapping.csv").content.decode("utf-8-sig").splitlines()
    assert lines == ["tag_id,group,tag,wecom_group_id,wecom_tag_id", f"{tea.pk},兴趣,茶,,"]
    given = "\n".join([lines[0], f"{tea.pk},兴趣,茶,g9,et9"]).encode("utf-8-sig")
    answer = client.post("/tags/wecom/load/", {"file": SimpleUploadedFile("m.csv", given)})
    assert answer.status_code == 302
    tea.refresh_from_db()
    assert (tea.wecom_tag_id, tea.group.wecom_group_id) == ("et9", "g9")
    for wrong in (b"\xff\xfe", b"a,b\n1,2", b"tag_id,wecom_tag_id\nx,1", b"tag_id,wecom_tag_id\n"):
        answer = client.post("/tags/wecom/load/", {"file": SimpleUploadedFile("m.csv", wrong)})
        assert answer.status_code == 422
    assert client.get("/tags/wecom/").status_code == 200


# What uses a tag.


def test_segments_that_name_a_tag_are_its_dependents() -> None:
    tea, wine = make_tag("茶"), make_tag("酒")
    tree = {"all": [{"any": [{"field": "tag", "op": "any_of", "value": [tea.pk]}]}]}
    segment = segments.create(name="茶友", condition=tree, now=NOW)
    assert [(item.kind, item.label) for item in tag_dependents.dependents(tea.pk)] == [("segment", "茶友")]
    assert tag_dependents.dependents(wine.pk) == []
    segments.archive(segment_id=segment.pk, now=NOW)
    assert tag_dependents.dependents(tea.pk) == []


# By hand: what is remembered of it.


def test_recently_used_tags_are_ones_own_and_the_latest_first() -> None:
    tea, wine, client = make_tag("茶"), make_tag("酒"), client_as()
    member = make_member()
    for tag in (tea, wine, tea):
        client.post(f"/tags/members/{member.pk}/", {"add": tag.pk}, headers={"HX-Request": "true"})
    actor = _actor_of(client)
    assert [tag.name for tag in recent.recently_used(actor)] == ["酒", "茶"]  # the third changed nothing
    assert recent.recently_used(_actor_of(client_as())) == []
    catalogue.archive_tag(tag_id=wine.pk, now=NOW)
    assert [tag.name for tag in recent.recently_used(actor)] == ["茶"]


def test_the_audit_log_tells_who_tagged_how_many() -> None:
    tea, actor = make_tag("茶"), _everybody()
    members = [make_member().pk for _ in range(3)]
    bulk.start(actor=actor, member_ids=members, query=None, add=[tea.pk], remove=[], reason="", now=NOW)
    entry = AuditEntry.objects.get(action=recent.PUT_ON)
    assert (entry.object_type, entry.object_id, entry.changes) == ("tags_tag", str(tea.pk), {"members": [None, 3]})


def test_taking_off_can_be_undone_as_if_nothing_had_been() -> None:
    tea, member, client = make_tag("茶", valid_days=30), make_member(), client_as()
    tagging.assign(member_ids=[member.pk], tag_ids=[tea.pk], reason="到店", now=NOW)
    before = MemberTag.objects.values().get()
    headers = {"HX-Request": "true"}
    answer = client.post(f"/tags/members/{member.pk}/", {"remove": tea.pk}, headers=headers)
    undo = json.loads(answer["HX-Trigger"])["undo"]
    assert undo["url"] == f"/tags/members/{member.pk}/"
    assert not MemberTag.objects.exists()
    other = make_member()
    client.post(f"/tags/members/{other.pk}/", undo["values"], headers=headers)  # a ticket is for one member
    client.post(undo["url"], {"undo": "made up"}, headers=headers)
    assert not MemberTag.objects.exists()
    client.post(undo["url"], undo["values"], headers=headers)
    assert MemberTag.objects.values().get() == before
    client.post(undo["url"], undo["values"], headers=headers)  # twice changes nothing
    assert MemberTag.objects.values().get() == before


def test_nothing_is_undone_of_what_was_not_there() -> None:
    assert undoing.take_off(member_id=make_member().pk, tag_id=make_tag("茶").pk, now=NOW) is None


# The page.


def test_the_list_shows_the_last_counts_and_exact_ones_on_request() -> None:
    tea, new, client = make_tag("茶"), make_tag("新"), client_as()
    TagStatistic.objects.create(tag=tea, counted_on=date(2026, 11, 20), members=41)
    TagStatistic.objects.create(tag=tea, counted_on=date(2026, 11, 21), members=4321)
    for tag in (tea, new):
        tagging.assign(member_ids=[make_member().pk], tag_ids=[tag.pk], now=NOW)
    assert _counts(client.get("/tags/")) == {"茶": 4321, "新": 1}
    assert _counts(client.get("/tags/", {"exact": "1"})) == {"茶": 1, "新": 1}


def test_a_tag_that_was_counted_at_nobody_is_counted_again() -> None:
    tea, client = make_tag("茶"), client_as()
    TagStatistic.objects.create(tag=tea, counted_on=date(2026, 11, 21), members=0)
    tagging.assign(member_ids=[make_member().pk], tag_ids=[tea.pk], now=NOW)
    assert _counts(client.get("/tags/")) == {"茶": 1}


def test_of_a_tag_that_was_never_counted_only_so_many_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tags.web.catalogue.MOST_COUNTED", 2)
    tea, client = make_tag("茶"), client_as()
    tagging.assign(member_ids=[make_member().pk for _ in range(4)], tag_ids=[tea.pk], now=NOW)
    page = client.get("/tags/")
    assert _counts(page) == {"茶": 2}
    assert ">2+</a>" in page.content.decode()


def test_who_sees_few_members_is_shown_no_counts_of_all() -> None:
    tea, store = make_tag("茶"), make_store()
    TagStatistic.objects.create(tag=tea, counted_on=date(2026, 11, 21), members=99)
    tagging.assign(member_ids=[make_member(store=store).pk, make_member().pk], tag_ids=[tea.pk], now=NOW)
    clerk = client_as(Role.STORE_STAFF, scope=DataScope.STORE, staff=make_staff(store=store))
    assert _counts(clerk.get("/tags/")) == {"茶": 1}
    region = client_as(Role.OPERATOR, scope=DataScope.REGION)
    assert _counts(region.get("/tags/")) == {"茶": None}
    assert "99" not in clerk.get(f"/tags/{tea.pk}/").content.decode().split("<main")[1].split("</main>")[0]


def test_store_staff_tag_members_but_do_not_manage_tags() -> None:
    tea = make_tag("茶")
    clerk = client_as(Role.STORE_STAFF)
    for path in ("/tags/new/", "/tags/groups/new/", f"/tags/{tea.pk}/edit/", f"/tags/{tea.pk}/merge/"):
        assert clerk.get(path).status_code == 403, path
    for path in (f"/tags/{tea.pk}/archive/", f"/tags/groups/{tea.group_id}/delete/", "/tags/wecom/load/"):
        assert clerk.post(path).status_code == 403, path
    assert clerk.get("/tags/by-list/").status_code == 200
    for path in ("/tags/", f"/tags/{tea.pk}/", f"/tags/{tea.pk}/activity/", f"/tags/{tea.pk}/activity/?exact=1"):
        assert client_as(Role.AUDITOR).get(path).status_code == 200, path


def test_search_owner_and_kind_narrow_the_list() -> None:
    client = client_as()
    mine = _actor_of(client).id
    make_tag("茶", owner_id=mine, description="爱喝茶的人")
    make_tag("酒")
    assert set(_counts(client.get("/tags/", {"q": "爱喝"}))) == {"茶"}
    assert set(_counts(client.get("/tags/", {"owner": "me"}))) == {"茶"}
    assert set(_counts(client.get("/tags/", {"owner": "x' OR 1"}))) == set()
    assert set(_counts(client.get("/tags/", {"kind": "manual"}))) == {"茶", "酒"}


def test_many_tags_cost_few_queries(django_assert_max_num_queries: Any) -> None:
    for number in range(12):
        group = make_group(f"组{number}")
        for other in range(10):
            make_tag(f"标签{other}", group)
    client = client_as()
    with django_assert_max_num_queries(16):
        assert len(_counts(client.get("/tags/"))) == 10  # ten names, in twelve groups each


def test_a_tag_is_found_by_the_palette_and_wears_its_own_colour_in_the_member_list() -> None:
    tea, member, client = make_tag("爱喝茶", colour="pink"), make_member(), client_as()
    tagging.assign(member_ids=[member.pk], tag_ids=[tea.pk], now=NOW)
    assert f"/tags/{tea.pk}/" in client.get("/palette/", {"q": "喝茶"}).content.decode()
    [badge] = row_tags([member.pk])[member.pk]
    assert (badge.label, badge.tone) == ("爱喝茶", "pink")


# The API.


def test_tags_are_changed_archived_and_restored_by_the_api() -> None:
    tea, client = make_tag("茶"), client_as()
    answer = client.patch(f"/api/v1/tags/{tea.pk}", {"colour": "teal", "name": "茶友"}, content_type="application/json")
    assert answer.status_code == 200
    assert (answer.json()["name"], answer.json()["colour"], answer.json()["description"]) == ("茶友", "teal", "")
    assert client.patch(f"/api/v1/tags/{tea.pk}", {"colour": "x"}, content_type="application/json").status_code == 422
    assert client.post(f"/api/v1/tags/{tea.pk}/archive").json()["archived_at"] is not None
    assert client.post(f"/api/v1/tags/{tea.pk}/restore").json()["archived_at"] is None
    assert client.get(f"/api/v1/tags/{tea.pk}/dependents").json() == []
    group = client.patch(f"/api/v1/tag-groups/{tea.group_id}", {"colour": "red"}, content_type="application/json")
    assert group.json()["colour"] == "red"
    refused = client.delete(f"/api/v1/tag-groups/{tea.group_id}")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_empty")
    assert client.delete(f"/api/v1/tag-groups/{make_group('空').pk}").status_code == 204
    assert client.get("/api/v1/tags/999999").status_code == 404


def test_the_api_lets_only_managers_manage() -> None:
    tea, clerk = make_tag("茶"), client_as(Role.STORE_STAFF)
    assert clerk.get(f"/api/v1/tags/{tea.pk}").status_code == 200
    asked = [
        clerk.patch(f"/api/v1/tags/{tea.pk}", {"name": "x"}, content_type="application/json"),
        clerk.post(f"/api/v1/tags/{tea.pk}/archive"),
        clerk.post(f"/api/v1/tags/{tea.pk}/merge", {"into_id": 1}, content_type="application/json"),
        clerk.post("/api/v1/tags", {"group_id": tea.group_id, "name": "x"}, content_type="application/json"),
        clerk.delete(f"/api/v1/tag-groups/{tea.group_id}"),
    ]
    assert [answer.status_code for answer in asked] == [403] * 5


def _counts(answer: Any) -> dict[str, int | None]:
    return {row.tag.name: row.members for section in answer.context["groups"] for row in section.tags}


def _everybody() -> Actor:
    return actor_of(make_user())


def _actor_of(client: Client) -> Actor:
    return actor_of(User.objects.get(pk=client.session["_auth_user_id"]))
