"""Tags on members: what is added, what is replaced, what the timeline says."""

from __future__ import annotations

from datetime import timedelta

import pytest

import tags.tasks  # noqa: F401  # registers the handler of the job
from members.models import Event, Member
from members.queries.scopes import actor_of
from scrm.common import jobs
from scrm.common.access import DataScope, Role
from scrm.common.errors import Conflict, Invalid, NotFound
from scrm.common.models import Job
from scrm.common.models.jobs import JobState
from tags.enums import Choice
from tags.models import MemberTag, Tag, TagGroup
from tags.operations import bulk, catalogue, tagging
from tags.queries import tagging as queries
from tests.factories import NOW, client_as, make_member, make_staff, make_store, make_user

pytestmark = pytest.mark.django_db


def make_tag(name: str, group: str = "兴趣", choice: str = Choice.MULTIPLE, **values: object) -> Tag:
    found = TagGroup.objects.filter(name=group).first() or catalogue.create_group(name=group, choice=choice)
    return catalogue.create_tag(group_id=found.pk, name=name, **values)  # type: ignore[arg-type]


def held(member: Member) -> set[str]:
    return {entry.tag.name for entry in queries.of_member(member.pk, now=NOW)}


def timeline(member: Member) -> list[tuple[str, str, str]]:
    events = Event.objects.filter(member=member).select_related("type").order_by("type__key", "message_id")
    return [(e.type.key, e.properties["tag"], e.properties.get("reason", "")) for e in events]


def test_assigning_is_counted_once_and_noted_on_the_timeline() -> None:
    tea, run = make_tag("茶"), make_tag("跑步")
    ann, ben = make_member(), make_member()
    done = tagging.assign(member_ids=[ann.pk, ben.pk], tag_ids=[tea.pk, run.pk], reason="活动", now=NOW)
    assert (done.added, done.removed) == (4, 0)
    assert held(ann) == held(ben) == {"茶", "跑步"}
    assert timeline(ann) == [("tag.added", "茶", "活动"), ("tag.added", "跑步", "活动")]
    again = tagging.assign(member_ids=[ann.pk], tag_ids=[tea.pk], now=NOW + timedelta(days=1))
    assert (again.added, again.removed) == (0, 0)
    assert len(timeline(ann)) == 2


def test_a_single_choice_group_keeps_the_latest_tag_only() -> None:
    gold, silver = make_tag("金", "级别", Choice.SINGLE), make_tag("银", "级别", Choice.SINGLE)
    other, member = make_tag("茶"), make_member()
    tagging.assign(member_ids=[member.pk], tag_ids=[gold.pk, other.pk], now=NOW)
    done = tagging.assign(member_ids=[member.pk], tag_ids=[silver.pk], now=NOW + timedelta(hours=1))
    assert (done.added, done.removed) == (1, 1)
    assert held(member) == {"银", "茶"}
    assert [entry[:2] for entry in timeline(member)].count(("tag.removed", "金")) == 1
    with pytest.raises(Invalid) as caught:
        tagging.assign(member_ids=[member.pk], tag_ids=[gold.pk, silver.pk], now=NOW)
    assert caught.value.code == "one_of_group"
    assert held(member) == {"银", "茶"}


def test_removing_says_how_many_had_it() -> None:
    tea, ann, ben = make_tag("茶"), make_member(), make_member()
    tagging.assign(member_ids=[ann.pk], tag_ids=[tea.pk], now=NOW)
    assert tagging.remove(member_ids=[ann.pk, ben.pk], tag_ids=[tea.pk], reason="过期", now=NOW).removed == 1
    assert ("tag.removed", "茶", "过期") in timeline(ann)
    assert timeline(ben) == []


def test_an_assignment_with_validity_lapses_and_can_be_made_anew() -> None:
    hot, member = make_tag("新品关注", valid_days=7), make_member()
    tagging.assign(member_ids=[member.pk], tag_ids=[hot.pk], now=NOW - timedelta(days=8))
    assert held(member) == set()
    assert tagging.assign(member_ids=[member.pk], tag_ids=[hot.pk], now=NOW).added == 1
    assert MemberTag.objects.get(member=member).expires_at == NOW + timedelta(days=7)
    # Put on again while valid: not a new assignment, but the validity starts anew.
    assert tagging.assign(member_ids=[member.pk], tag_ids=[hot.pk], now=NOW + timedelta(days=3)).added == 0
    assert MemberTag.objects.get(member=member).expires_at == NOW + timedelta(days=10)


def test_refusals_change_nothing() -> None:
    tea, member = make_tag("茶"), make_member()
    catalogue.archive_tag(tag_id=tea.pk, now=NOW)
    for wrong, error, code in (
        ([tea.pk], Conflict, "tag_archived"),
        ([10**9], NotFound, "not_found"),
        ([], Invalid, "no_tag"),
    ):
        with pytest.raises(error) as caught:
            tagging.assign(member_ids=[member.pk], tag_ids=wrong, now=NOW)
        assert caught.value.code == code
    with pytest.raises(Invalid):
        tagging.assign(member_ids=[member.pk], tag_ids=[make_tag("咖啡").pk], reason="x" * 201, now=NOW)
    assert not MemberTag.objects.exists()


def test_who_is_not_active_is_passed_over() -> None:
    tea, erased = make_tag("茶"), make_member(status="erased")
    assert tagging.assign(member_ids=[erased.pk, 10**9], tag_ids=[tea.pk], now=NOW).added == 0


def test_names_are_unique_where_they_must_be() -> None:
    make_tag("茶")
    with pytest.raises(Invalid) as caught:
        make_tag("茶")
    assert (caught.value.code, caught.value.detail["field"]) == ("name_taken", "name")
    make_tag("茶", "别的组")
    with pytest.raises(Invalid):
        catalogue.create_group(name="兴趣")
    with pytest.raises(Invalid):
        make_tag(" ")


def test_a_group_cannot_become_single_choice_while_somebody_has_two() -> None:
    tea, run, member = make_tag("茶"), make_tag("跑步"), make_member()
    tagging.assign(member_ids=[member.pk], tag_ids=[tea.pk, run.pk], now=NOW)
    change = {"group_id": tea.group_id, "name": "兴趣", "choice": Choice.SINGLE, "colour": "blue"}
    with pytest.raises(Conflict) as caught:
        catalogue.update_group(**change)  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.detail["count"]) == ("members_with_several", 1)
    tagging.remove(member_ids=[member.pk], tag_ids=[run.pk], now=NOW)
    assert catalogue.update_group(**change).choice == Choice.SINGLE  # type: ignore[arg-type]


def test_counts_are_those_of_the_members_one_sees() -> None:
    tea, store = make_tag("茶"), make_store()
    mine, other = make_member(store=store), make_member()
    tagging.assign(member_ids=[mine.pk, other.pk], tag_ids=[tea.pk], now=NOW)
    staff = make_staff(store=store)
    scoped = actor_of(make_user(Role.STORE_STAFF, scope=DataScope.STORE, staff=staff))
    assert queries.counts(actor=actor_of(make_user()), now=NOW) == {tea.pk: 2}
    assert queries.counts(actor=scoped, now=NOW) == {tea.pk: 1}


def test_a_large_selection_becomes_a_job_that_acts_as_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 2)
    monkeypatch.setattr(bulk, "CHUNK", 2)
    tea, store = make_tag("茶"), make_store()
    for _ in range(5):
        make_member(store=store, city="上海")
    make_member(city="上海")
    staff = make_staff(store=store)
    actor = actor_of(make_user(Role.STORE_STAFF, scope=DataScope.STORE, staff=staff))
    started = bulk.start(actor=actor, member_ids=[], query="city=上海", add=[tea.pk], remove=[], reason="", now=NOW)
    assert started.job_id is not None
    assert not MemberTag.objects.exists()
    jobs.run(job_id=started.job_id)
    job = Job.objects.get(pk=started.job_id)
    assert (job.state, job.done, job.total, job.counts) == (JobState.SUCCEEDED, 5, 5, {"changed": 5})
    assert MemberTag.objects.count() == 5


def test_a_small_selection_is_tagged_at_once_within_ones_scope() -> None:
    tea, mine, other = make_tag("茶"), make_member(store=make_store()), make_member()
    staff = make_staff(store=mine.store)
    actor = actor_of(make_user(Role.STORE_STAFF, scope=DataScope.STORE, staff=staff))
    started = bulk.start(
        actor=actor, member_ids=[mine.pk, other.pk], query=None, add=[tea.pk], remove=[], reason="", now=NOW
    )
    assert (started.changed, started.job_id) == (1, None)
    assert held(other) == set()
    with pytest.raises(Invalid) as caught:
        bulk.start(actor=actor, member_ids=[other.pk], query=None, add=[tea.pk], remove=[], reason="", now=NOW)
    assert caught.value.code == "nothing_selected"


def test_the_member_panel_adds_and_removes() -> None:
    tea, member, client = make_tag("茶"), make_member(), client_as()
    headers = {"HX-Request": "true"}
    answer = client.post(f"/tags/members/{member.pk}/", {"add": tea.pk, "reason": "到店"}, headers=headers)
    assert answer.status_code == 200
    assert "茶" in answer.content.decode()
    assert MemberTag.objects.get().reason == "到店"
    client.post(f"/tags/members/{member.pk}/", {"remove": tea.pk}, headers=headers)
    assert not MemberTag.objects.exists()
    for wrong in ({"add": "9" * 30}, {"add": "x"}, {"add": "999"}, {}):
        assert client.post(f"/tags/members/{member.pk}/", wrong, headers=headers).status_code == 200


def test_nobody_tags_a_member_they_do_not_see() -> None:
    tea, member = make_tag("茶"), make_member()
    staff = make_staff(store=make_store())
    client = client_as(Role.STORE_STAFF, scope=DataScope.STORE, staff=staff)
    assert client.post(f"/tags/members/{member.pk}/", {"add": tea.pk}).status_code == 404
    assert client_as(Role.AUDITOR).post(f"/tags/members/{member.pk}/", {"add": tea.pk}).status_code == 403
    assert not MemberTag.objects.exists()


def test_the_tag_page_shows_counts_that_open_the_members() -> None:
    tea, member, client = make_tag("茶"), make_member(), client_as()
    tagging.assign(member_ids=[member.pk], tag_ids=[tea.pk], now=NOW)
    page = client.get("/tags/").content.decode()
    assert f'href="/members/?tag={tea.pk}"' in page
    assert client.get("/tags/", {"q": "没有"}).status_code == 200
    assert client.get("/tags/", {"q": "\0", "state": "x"}).status_code == 200


def test_groups_and_tags_are_made_on_their_pages() -> None:
    client = client_as()
    made = {"name": "渠道偏好", "choice": "single", "colour": "teal", "position": 1}
    assert client.post("/tags/groups/new/", made).status_code == 302
    assert client.post("/tags/groups/new/", made).status_code == 422
    group = make_tag("短信", "渠道偏好").group
    assert client.post("/tags/new/", {"group": group.pk, "name": "微信", "valid_days": ""}).status_code == 302
    tag = Tag.objects.get(name="微信")
    assert client.post(f"/tags/{tag.pk}/edit/", {"name": "企微", "description": "常用"}).status_code == 302
    assert client.post(f"/tags/{tag.pk}/archive/").status_code == 302
    tag.refresh_from_db()
    assert (tag.name, tag.description, tag.archived_at is not None) == ("企微", "常用", True)
    assert client.get("/tags/999999/").status_code == 404


def test_bulk_tagging_from_the_list_asks_for_tags_and_then_writes_them() -> None:
    tea, ann, ben, client = make_tag("茶"), make_member(city="上海"), make_member(city="杭州"), client_as()
    asked = client.post("/tags/bulk/", {"id": [ann.pk, ben.pk], "query": "city=上海"})
    assert asked.status_code == 200
    assert MemberTag.objects.count() == 0
    answer = client.post("/tags/bulk/", {"all_matching": "1", "query": "city=上海", "add": [tea.pk], "reason": ""})
    assert answer.status_code == 302
    assert list(MemberTag.objects.values_list("member_id", flat=True)) == [ann.pk]
    assert client.post("/tags/bulk/", {"id": ["x"], "add": ["y"]}).status_code == 422
