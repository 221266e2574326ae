"""Entries into and exits from followed segments: on timelines, counted on the segment's page, never told late."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import translation

from members.models import Event, Member
from members.queries import timeline
from members.web.timeline import present
from scrm.common import conditions, reactions
from scrm.common.errors import Conflict
from scrm.common.reactions import Facts
from tags.models import Segment, Watch
from tags.operations import segment_lists, watches
from tags.operations import segments as operations
from tags.queries import segment_sizes
from tags.rules.segments import in_segments
from tests.factories import NOW, client_as, make_member

pytestmark = pytest.mark.django_db

SHANGHAI = {"all": [{"field": "city", "op": "eq", "value": "上海"}]}
LATER = NOW + timedelta(hours=1)


def make_followed(condition: object = SHANGHAI, name: str = "上海会员") -> Segment:
    segment = operations.create(name=name, condition=condition, now=NOW)
    return follow(segment)


def follow(segment: Segment) -> Segment:
    """Follow it, and do the evaluation that would come in the background."""
    segment = operations.follow(segment_id=segment.pk, now=NOW)
    evaluate(segment)
    return segment


def evaluate(segment: Segment) -> None:
    assert segment.watch_id is not None
    watches.evaluate_everyone(watch_id=segment.watch_id, now=NOW)


def move(member: Member, city: str) -> None:
    """A batch of facts that moved the member to another city."""
    Member.objects.filter(pk=member.pk).update(city=city)
    reactions.run(Facts(now=LATER, member_ids=[member.pk], topics=frozenset({"profile"})))


def noted() -> list[tuple[int, str, str]]:
    rows = Event.objects.filter(message_id__startswith="segment.").select_related("type").order_by("id")
    return [(row.member_id, row.type.key, row.properties["segment"]) for row in rows]


def test_who_enters_and_leaves_is_noted_and_who_was_in_it_is_not() -> None:
    _ann, ben = make_member(city="上海"), make_member(city="杭州")
    segment = make_followed()
    assert noted() == []
    move(ben, "上海")
    assert noted() == [(ben.pk, "segment.entered", "上海会员")]
    move(ben, "上海")
    assert len(noted()) == 1
    found = segment_sizes.moves(segment.pk, days=7, now=LATER)
    assert (found.entered, found.left) == (1, 0)
    assert segment_sizes.moves(segment.pk, days=7, now=LATER + timedelta(days=8)).entered == 0


def test_the_timeline_says_it_in_both_languages() -> None:
    ann = make_member(city="杭州")
    make_followed()
    move(ann, "上海")
    (entry,) = timeline.of_member(ann.pk, kind="changes").entries
    for language, title in (("zh-hans", "进入人群"), ("en", "Entered a segment")):
        with translation.override(language):
            item = present(entry)
            assert (item.title, item.text) == (title, "上海会员")


def test_a_list_that_is_followed_tells_of_its_members_at_once() -> None:
    ann, ben = make_member(), make_member()
    segment = segment_lists.create(name="名单", now=NOW)
    segment_lists.add(segment_id=segment.pk, member_ids=[ann.pk], now=NOW)
    follow(segment)
    segment_lists.add(segment_id=segment.pk, member_ids=[ann.pk, ben.pk], now=LATER)
    segment_lists.remove(segment_id=segment.pk, member_ids=[ann.pk], now=LATER)
    assert noted() == [(ben.pk, "segment.entered", "名单"), (ann.pk, "segment.left", "名单")]
    found = segment_sizes.moves(segment.pk, days=7, now=LATER)
    assert (found.entered, found.left) == (1, 1)


def test_a_segment_around_a_list_follows_the_list() -> None:
    ann = make_member(city="上海")
    listed = segment_lists.create(name="名单", now=NOW)
    make_followed({"all": [SHANGHAI, in_segments([listed.pk])]}, name="名单内上海")
    segment_lists.add(segment_id=listed.pk, member_ids=[ann.pk], now=LATER)
    assert noted() == [(ann.pk, "segment.entered", "名单内上海")]


def test_what_happened_while_it_was_not_followed_is_not_told_late() -> None:
    ann, ben = make_member(city="杭州"), make_member(city="杭州")
    segment = make_followed()
    operations.unfollow(segment_id=segment.pk, now=NOW)
    operations.unfollow(segment_id=segment.pk, now=NOW)
    move(ann, "上海")
    follow(segment)
    assert noted() == []
    move(ben, "上海")
    assert noted() == [(ben.pk, "segment.entered", "上海会员")]
    assert Watch.objects.count() == 1


def test_a_changed_condition_moves_members_in_and_out() -> None:
    ann, ben = make_member(city="上海"), make_member(city="杭州")
    segment = make_followed()
    changed = {"all": [{"field": "city", "op": "eq", "value": "杭州"}]}
    operations.update(segment_id=segment.pk, version=1, name="杭州会员", condition=changed, now=LATER)
    evaluate(segment)
    assert sorted(noted()) == sorted([(ben.pk, "segment.entered", "杭州会员"), (ann.pk, "segment.left", "杭州会员")])


def test_entries_can_be_used_in_conditions() -> None:
    ann = make_member(city="杭州")
    make_followed()
    move(ann, "上海")
    node = conditions.parse({"field": "event", "op": "true", "with": {"type": ["segment.entered"]}})
    sql = conditions.compile_condition(node, as_of=LATER)
    assert sql.text


def test_a_snapshot_is_not_followed() -> None:
    segment = operations.create(name="上海", condition=SHANGHAI, now=NOW)
    frozen = operations.snapshot(segment_id=segment.pk, now=NOW)
    with pytest.raises(Conflict) as caught:
        operations.follow(segment_id=frozen.pk, now=NOW)
    assert caught.value.code == "never_changes"


def test_the_switch_is_on_the_page() -> None:
    segment, client = operations.create(name="上海", condition=SHANGHAI, now=NOW), client_as()
    path = f"/segments/{segment.pk}/"
    assert "记录到时间线" in client.get(path).content.decode()
    client.post(f"{path}follow/", {"followed": "1"})
    assert "停止记录" in client.get(path).content.decode()
    segment.refresh_from_db()
    assert segment.watch is not None
    assert segment.watch.enabled
    client.post(f"{path}follow/", {"followed": "0"})
    assert "记录到时间线" in client.get(path).content.decode()
    answer = client.post(
        f"/api/v1/segments/{segment.pk}/follow", {"followed": True}, content_type="application/json"
    )  # fmt: skip
    assert answer.status_code == 200
