"""Merging tags: members, conditions and rules follow; histories stay; a large merge is a job that can be killed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils.translation import override

import tags.tasks  # noqa: F401  # registers the handler of the job
from members.models import Event, Member
from members.queries.scopes import actor_of
from scrm.common import jobs
from scrm.common.access import Actor, Role
from scrm.common.conditions.named import replace_tag, tags_named
from scrm.common.errors import Conflict, Invalid, NotFound
from scrm.common.models import Job
from scrm.common.models.jobs import JobState
from tags.enums import Choice, TagKind
from tags.models import MemberTag, Segment, Tag, TagGroup
from tags.operations import catalogue, merging, segments, tagging
from tags.queries import coverage, tag_dependents
from tags.queries import segments as audiences
from tests.factories import NOW, client_as, make_member, make_user

pytestmark = pytest.mark.django_db


def make_tag(name: str, group: str = "兴趣", choice: str = Choice.MULTIPLE, **values: Any) -> Tag:
    found = TagGroup.objects.filter(name=group).first() or catalogue.create_group(name=group, choice=choice)
    return catalogue.create_tag(group_id=found.pk, name=name, **values)


def put(tag: Tag, *members: Member, at: datetime = NOW, reason: str = "") -> None:
    tagging.assign(member_ids=[member.pk for member in members], tag_ids=[tag.pk], reason=reason, now=at)


def everybody() -> Actor:
    return actor_of(make_user())


def merge(tag: Tag, into: Tag) -> merging.Merged:
    return merging.merge(tag_id=tag.pk, into_id=into.pk, actor=everybody(), now=NOW)


def holders(tag: Tag) -> set[int]:
    return set(MemberTag.objects.filter(tag=tag).values_list("member_id", flat=True))


def naming(*tags: Tag, op: str = "any_of") -> dict[str, Any]:
    return {"all": [{"field": "tag", "op": op, "value": [tag.pk for tag in tags]}]}


def test_members_move_with_where_the_tag_came_from_and_since_when() -> None:
    old, new = make_tag("爱喝茶"), make_tag("茶友")
    ann, ben = make_member(), make_member()
    put(old, ann, at=NOW - timedelta(days=9), reason="到店")
    put(new, ben)
    done = merge(old, new)
    assert (done.moved, done.rewritten, done.job_id) == (1, 0, None)
    assert holders(new) == {ann.pk, ben.pk}
    assert holders(old) == set()
    row = MemberTag.objects.get(member=ann)
    assert (row.reason, row.assigned_at) == ("到店", NOW - timedelta(days=9))


def test_who_has_both_keeps_the_earlier_start_and_the_later_end() -> None:
    old, new = make_tag("旧", valid_days=90), make_tag("新", valid_days=7)
    forever = make_tag("长久")
    ann = make_member()
    put(old, ann, at=NOW - timedelta(days=5))
    put(new, ann, at=NOW - timedelta(days=1))
    merge(old, new)
    row = MemberTag.objects.get(member=ann)
    assert (row.assigned_at, row.expires_at) == (NOW - timedelta(days=5), NOW + timedelta(days=85))
    put(forever, ann)
    merge(forever, new)
    assert MemberTag.objects.get(member=ann).expires_at is None


def test_lapsed_assignments_give_nobody_the_tag() -> None:
    old, new = make_tag("旧", valid_days=7), make_tag("新", valid_days=7)
    ann, ben = make_member(), make_member()
    put(old, ann, at=NOW - timedelta(days=30))
    put(new, ben, at=NOW - timedelta(days=30))
    put(old, ben, at=NOW - timedelta(days=2))
    merge(old, new)
    assert holders(new) == {ben.pk}
    row = MemberTag.objects.get()
    assert (row.assigned_at, row.expires_at) == (NOW - timedelta(days=2), NOW + timedelta(days=5))


def test_timelines_keep_what_was_put_on_at_the_time() -> None:
    old, new, ann = make_tag("旧"), make_tag("新"), make_member()
    put(old, ann)
    merge(old, new)
    assert [(e.type.key, e.properties["tag"]) for e in Event.objects.select_related("type")] == [("tag.added", "旧")]


def test_the_merged_tag_stays_as_a_signpost() -> None:
    old, new, last = make_tag("旧"), make_tag("新"), make_tag("最新")
    merge(old, new)
    old.refresh_from_db()
    assert (old.merged_into, old.archived_at) == (new, NOW)
    for act in (lambda: catalogue.restore_tag(tag_id=old.pk), lambda: merge(old, last)):
        with pytest.raises(Conflict) as caught:
            act()
        assert caught.value.code == "tag_merged"
    # Signposts point at the end of the road.
    merge(new, last)
    old.refresh_from_db()
    assert old.merged_into == last
    assert {tag.name for tag in coverage.merged_into([last.pk])[last.pk]} == {"旧", "新"}


def test_segments_that_name_the_tag_mean_the_other_one() -> None:
    old, new, other = make_tag("旧"), make_tag("新"), make_tag("别的")
    ann, ben, cat = make_member(), make_member(), make_member()
    put(old, ann)
    put(new, ben)
    put(other, cat)
    one = segments.create(name="一", condition=naming(old), now=NOW)
    both = segments.create(name="二", condition=naming(old, new), now=NOW)
    neither = segments.create(name="三", condition=naming(old, op="none_of"), now=NOW)
    untouched = segments.create(name="四", condition=naming(other), now=NOW)
    assert [item.label for item in tag_dependents.dependents(old.pk)] == ["一", "三", "二"]
    before = both.version
    assert merge(old, new).rewritten == 3
    stored = {segment.name: segment for segment in Segment.objects.all()}
    assert stored["一"].condition == stored["二"].condition == naming(new)
    assert stored["二"].version == before + 1
    assert stored["四"].version == untouched.version
    found = {
        name: set(audiences.member_ids_page(segment, actor=everybody(), as_of=NOW, after=0, size=10))
        for name, segment in stored.items()
    }
    assert found["一"] == {ann.pk, ben.pk}
    assert found["三"] == {cat.pk}
    assert tag_dependents.dependents(old.pk) == []
    assert (one.pk, neither.pk) == (stored["一"].pk, stored["三"].pk)


def test_wherever_a_condition_names_a_tag_it_is_replaced_and_nowhere_else() -> None:
    tree = {
        "any": [
            {"field": "tag", "op": "any_of", "value": [7, 8, 9]},
            {"none": [{"field": "tag.weight", "op": "ge", "value": 7, "with": {"tag": 7}}]},
            {"field": "tag_group", "op": "any_of", "value": [7]},
            {"field": "segment", "op": "any_of", "value": [7]},
            {"field": "order.count", "op": "eq", "value": 7},
            "broken",
        ]
    }
    assert tags_named(tree) == {7, 8, 9}
    assert replace_tag(tree, old=7, new=9) == {
        "any": [
            {"field": "tag", "op": "any_of", "value": [9, 8]},
            {"none": [{"field": "tag.weight", "op": "ge", "value": 7, "with": {"tag": 9}}]},
            {"field": "tag_group", "op": "any_of", "value": [7]},
            {"field": "segment", "op": "any_of", "value": [7]},
            {"field": "order.count", "op": "eq", "value": 7},
            "broken",
        ]
    }


def test_what_cannot_be_merged_is_refused_and_nothing_changes() -> None:
    old, new, gone, model = make_tag("旧"), make_tag("新"), make_tag("停用"), make_tag("模型")
    catalogue.archive_tag(tag_id=gone.pk, now=NOW)
    Tag.objects.filter(pk=model.pk).update(kind=TagKind.MODEL)
    for tag, into, error, code in (
        (old, old, Invalid, "same_tag"),
        (old, gone, Conflict, "tag_archived"),
        (old, model, Conflict, "model_tag"),
        (model, new, Conflict, "model_tag"),
    ):
        with pytest.raises(error) as caught:
            merge(tag, into)
        assert caught.value.code == code
    with pytest.raises(NotFound):
        merging.merge(tag_id=10**9, into_id=new.pk, actor=everybody(), now=NOW)
    assert not Tag.objects.exclude(merged_into=None).exists()


def test_into_a_single_choice_group_only_where_nobody_gets_two() -> None:
    old, gold, silver = make_tag("旧"), make_tag("金", "级别", Choice.SINGLE), make_tag("银", "级别", Choice.SINGLE)
    ann, ben = make_member(), make_member()
    put(old, ann, ben)
    put(silver, ann)
    with pytest.raises(Conflict) as caught:
        merge(old, gold)
    assert (caught.value.code, caught.value.detail["count"]) == ("members_with_several", 1)
    tagging.remove(member_ids=[ann.pk], tag_ids=[silver.pk], now=NOW)
    assert merge(old, gold).moved == 2
    assert holders(gold) == {ann.pk, ben.pk}


def test_the_place_in_wecom_passes_on_unless_the_other_one_has_its_own() -> None:
    old, new, third = make_tag("旧", wecom_tag_id="et1"), make_tag("新"), make_tag("三", wecom_tag_id="et3")
    merge(old, new)
    assert dict(Tag.objects.values_list("name", "wecom_tag_id")) == {"旧": "", "新": "et1", "三": "et3"}
    merge(new, third)
    assert dict(Tag.objects.values_list("name", "wecom_tag_id")) == {"旧": "", "新": "", "三": "et3"}


def test_a_large_merge_is_a_job_that_goes_on_where_it_was_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "AT_ONCE", 3)
    monkeypatch.setattr(merging, "CHUNK", 2)
    old, new = make_tag("旧"), make_tag("新")
    members = [make_member() for _ in range(7)]
    put(old, *members)
    segment = segments.create(name="人群", condition=naming(old), now=NOW)
    done = merge(old, new)
    assert done.job_id is not None
    # From here on the old tag cannot be put on; nobody has lost it.
    with pytest.raises(Conflict):
        put(old, make_member())
    assert audiences.count(segment, as_of=NOW) == 7

    copy_chunk, calls = merging.copy_chunk, []

    def killed(**values: Any) -> tuple[int, int]:
        calls.append(values["after"])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return copy_chunk(size=2, **values)

    monkeypatch.setattr(merging, "copy_chunk", killed)
    with pytest.raises(KeyboardInterrupt):
        jobs.run(job_id=done.job_id)
    # Half-way: some have both tags, nobody neither, and the segment is what it was.
    assert holders(old) == {member.pk for member in members}
    assert len(holders(new)) == 4
    assert audiences.count(Segment.objects.get(), as_of=NOW) == 7

    Job.objects.filter(pk=done.job_id).update(state=JobState.QUEUED)
    jobs.run(job_id=done.job_id)
    job = Job.objects.get(pk=done.job_id)
    assert (job.state, job.done, job.counts) == (JobState.SUCCEEDED, 7, {"moved": 7})
    assert (holders(old), holders(new)) == (set(), {member.pk for member in members})
    assert Segment.objects.get().condition == naming(new)


@pytest.mark.parametrize("many", [False, True])
def test_a_tag_that_a_large_merge_still_puts_on_is_not_merged_away(monkeypatch: pytest.MonkeyPatch, many: bool) -> None:
    """The rest of that merge would put it on members again, with nobody to take it off."""
    monkeypatch.setattr(merging, "AT_ONCE", 2)
    monkeypatch.setattr(merging, "CHUNK", 2)
    first, second, third, fourth = (make_tag(name) for name in "甲乙丙丁")
    members = [make_member() for _ in range(5)]
    put(first, *members)
    put(second, *(make_member() for _ in range(4 if many else 1)))
    job_id = merge(first, second).job_id

    def refused(language: str) -> str:
        with override(language), pytest.raises(Conflict) as caught:
            merge(second, third)
        assert caught.value.code == "merge_running"
        return str(caught.value)

    copy_chunk = merging.copy_chunk

    def asked_meanwhile(**values: Any) -> tuple[int, int]:
        found = copy_chunk(**{"size": 2, **values})
        assert refused("en") == "Members of another tag are still being given “乙”. Merge it when that has finished."
        assert refused("zh-hans") == "仍在给另一标签的会员打上“乙”，完成后再合并。"
        return found

    # What is merged into it as well goes on.
    assert merge(fourth, second).job_id is None
    monkeypatch.setattr(merging, "copy_chunk", asked_meanwhile)
    jobs.run(job_id=job_id)
    assert Job.objects.get(pk=job_id).state == JobState.SUCCEEDED
    monkeypatch.undo()
    assert merge(second, third).moved == (9 if many else 6)
    assert (holders(first), holders(second)) == (set(), set())
    assert holders(third) >= {member.pk for member in members}
    assert set(Tag.objects.exclude(merged_into=None).values_list("name", "merged_into__name")) == {
        ("甲", "丙"), ("乙", "丙"), ("丁", "丙"),
    }  # fmt: skip


def test_a_large_merge_that_was_cancelled_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "AT_ONCE", 1)
    first, second, third = (make_tag(name) for name in "甲乙丙")
    put(first, make_member(), make_member())
    put(second, make_member())
    jobs.request_cancel(job_id=merge(first, second).job_id)
    assert merge(second, third).moved == 1


def test_the_page_shows_what_changes_and_merges() -> None:
    old, new, client = make_tag("旧"), make_tag("新"), client_as()
    ann, ben = make_member(), make_member()
    put(old, ann, ben)
    put(new, ben)
    segments.create(name="老茶友", condition=naming(old), now=NOW)
    shown = client.get(f"/tags/{old.pk}/merge/", {"into": new.pk})
    assert shown.context["overlap"] == (2, 1)
    assert "老茶友" in shown.content.decode()
    assert client.post(f"/tags/{old.pk}/merge/", {"into": "x"}).status_code == 422
    answer = client.post(f"/tags/{old.pk}/merge/", {"into": new.pk})
    assert (answer.status_code, answer["Location"]) == (302, f"/tags/{new.pk}/")
    page = client.get(f"/tags/{old.pk}/").content.decode()
    assert f'href="/tags/{new.pk}/"' in page
    assert client_as(Role.AUDITOR).get(f"/tags/{new.pk}/merge/").status_code == 403


def test_the_api_merges() -> None:
    old, new, client = make_tag("旧"), make_tag("新"), client_as()
    put(old, make_member())
    answer = client.post(f"/api/v1/tags/{old.pk}/merge", {"into_id": new.pk}, content_type="application/json")
    assert (answer.status_code, answer.json()) == (200, {"moved": 1, "rewritten": 0, "job_id": None})
    again = client.post(f"/api/v1/tags/{old.pk}/merge", {"into_id": new.pk}, content_type="application/json")
    assert (again.status_code, again.json()["code"]) == (409, "tag_merged")
    assert client.get(f"/api/v1/tags/{old.pk}").json()["merged_into_id"] == new.pk
