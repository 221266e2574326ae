"""Watches: tags follow the facts in the transaction that lands them, and the clock by instants worked out ahead."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from members.models import Event
from members.operations import intake
from members.rules.intake import MemberIn, MemberRef, OrderIn
from scrm.common import jobs
from scrm.common.access import SYSTEM
from scrm.common.conditions import Column, Field, FieldType, Sql, fields
from scrm.common.errors import Invalid
from scrm.common.models import Job, Notification
from scrm.common.models.jobs import JobState
from tags import tasks
from tags.enums import RuleState, WatchKind
from tags.models import Segment, TagRule, Watch, WatchFlip, WatchMember
from tags.operations import automatic, segments, tagging, watch_runs, watches
from tests.factories import NOW, make_member, make_user
from tests.tags.watching import (
    DAY,
    did,
    due,
    event,
    happen,
    know,
    land,
    make_rule,
    make_tag,
    moves,
    stored,
    tags_of,
    truth,
)

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


def test_the_batch_that_fulfils_a_rule_puts_its_tag_on() -> None:
    rule = make_rule(did("page", 3, days=7), make_tag("常客"))
    ann, ben = make_member(), make_member()
    happen(ann, "page")
    happen(ann, "page")
    assert tags_of(ann) == set()
    land([event(ann, "page"), event(ben, "page")])
    assert (tags_of(ann), tags_of(ben)) == ({"常客"}, set())
    assert moves(ann) == [("tag.added", "常客")]
    noted = Event.objects.get(member=ann, type__key="tag.added")
    assert noted.properties == {"tag_id": rule.tag_id, "tag": "常客", "group": "自动", "by": "rule"}
    assert stored(rule.watch) == {ann.pk}


def test_a_batch_about_something_else_costs_one_round_trip() -> None:
    make_rule(did("page", 3, days=7))
    ann = make_member()
    know("other")
    happen(ann, "other")
    land_one = [event(ann, "other")]
    with CaptureQueriesContext(connection) as seen:
        land(land_one)
    asked = [query["sql"].count("EXECUTE") for query in seen.captured_queries if "EXECUTE" in query["sql"]]
    # Whose events they are; the landing, with whoever has ledgers that were moved; the gate, with what is enabled.
    assert asked == [1, 2, 2]
    assert not [query["sql"] for query in seen.captured_queries if "tags_" in query["sql"]]


def test_orders_profiles_and_new_members_are_followed_too() -> None:
    spender = make_rule({"field": "order.sum", "op": "ge", "value": 100}, make_tag("高消费"))
    local = make_rule({"field": "city", "op": "eq", "value": "上海"}, make_tag("上海"))
    quiet = make_rule({"none": [did("page")]}, make_tag("沉默"))
    order: dict[str, Any] = {
        "source": "shop", "number": "A1", "state": "paid", "amount": Decimal(150), "ordered_at": NOW, "paid_at": NOW,
    }  # fmt: skip
    intake.land_orders(items=[OrderIn(member=MemberRef(phone="+8613800000001"), **order)], now=NOW)
    made = WatchMember.objects.get(watch=spender.watch).member
    assert tags_of(made) == {"高消费", "沉默"}
    intake.land_members(items=[MemberIn(source="shop", phone="+8613800000001", city="上海")], now=NOW)
    assert tags_of(made) == {"高消费", "沉默", "上海"}
    happen(made, "page")
    assert tags_of(made) == {"高消费", "上海"}
    assert moves(made)[-1] == ("tag.removed", "沉默")
    assert (stored(local.watch), stored(quiet.watch)) == ({made.pk}, set())


def test_time_alone_takes_a_tag_off_when_it_is_due_and_not_before() -> None:
    rule = make_rule(did("page", 2, days=7), make_tag("常客"))
    ann, ben = make_member(), make_member()
    happen(ann, "page", at=NOW - 2 * DAY)
    happen(ann, "page", at=NOW - 1 * DAY)
    happen(ben, "page")
    # When it will end is found as it begins; nobody has to look again for that.
    assert watches.sweep(now=NOW + SECOND) == 0
    assert (due(rule, ann), due(rule, ben), tags_of(ann)) == (NOW + 5 * DAY, None, {"常客"})
    assert watches.sweep(now=NOW + 5 * DAY - SECOND) == 0
    assert tags_of(ann) == {"常客"}
    assert watches.sweep(now=NOW + 5 * DAY) == 1
    assert (tags_of(ann), moves(ann)[-1]) == (set(), ("tag.removed", "常客"))
    # One event is left in the window, but fewer than two: nothing can turn any more.
    assert due(rule, ann) is None
    assert watches.sweep(now=NOW + 30 * DAY) == 0


def test_time_alone_puts_a_tag_on() -> None:
    know("page")
    leaf = {"field": "event.last_at", "op": "at_least_ago", "value": 30, "with": {"type": ["page"]}}
    rule = make_rule(leaf, make_tag("沉睡"))
    ann = make_member()
    happen(ann, "page", at=NOW - 10 * DAY)
    found = due(rule, ann)
    assert found is not None
    # After a new event the instant is bounded, not computed: never late, here early by the width of a clock change.
    assert NOW + 20 * DAY - timedelta(hours=3) <= found <= NOW + 20 * DAY
    assert watches.sweep(now=found) == 1
    assert (tags_of(ann), due(rule, ann)) == (set(), NOW + 20 * DAY)
    assert watches.sweep(now=NOW + 20 * DAY) == 1
    assert tags_of(ann, now=NOW + 20 * DAY) == {"沉睡"}
    # A new fact turns it back at once.
    happen(ann, "page", at=NOW + 21 * DAY)
    assert tags_of(ann) == set()


def test_an_event_of_the_future_counts_from_when_it_occurs() -> None:
    rule = make_rule(did("visit", 1, days=7), make_tag("到店"))
    ann = make_member()
    happen(ann, "visit", at=NOW + 2 * DAY, now=NOW)
    assert watches.sweep(now=NOW + SECOND) == 1
    assert (tags_of(ann), due(rule, ann)) == (set(), NOW + 2 * DAY)
    watches.sweep(now=NOW + 2 * DAY)
    assert tags_of(ann) == {"到店"}


def test_flips_of_a_watch_that_is_off_are_dropped() -> None:
    rule = make_rule(did("page", 1, days=7))
    ann = make_member()
    happen(ann, "page")
    automatic.pause(rule_id=rule.pk, now=NOW)
    assert watches.sweep(now=NOW + 8 * DAY) == 1
    assert not WatchFlip.objects.exists()
    assert tags_of(ann) == {rule.tag.name}  # pausing leaves tags as they are


def test_enabling_evaluates_everyone_and_again_after_a_pause() -> None:
    ann, ben, gone = make_member(city="上海"), make_member(city="杭州"), make_member(city="上海", status="erased")
    rule = make_rule({"field": "city", "op": "eq", "value": "上海"}, make_tag("上海"))
    assert (tags_of(ann), tags_of(ben), tags_of(gone)) == ({"上海"}, set(), set())
    automatic.pause(rule_id=rule.pk, now=NOW)
    intake.land_members(items=[MemberIn(source="shop", member_id=ben.pk, city="上海")], now=NOW)
    intake.land_members(items=[MemberIn(source="shop", member_id=ann.pk, city="杭州")], now=NOW)
    assert (tags_of(ann), tags_of(ben)) == ({"上海"}, set())
    automatic.enable(rule_id=rule.pk, now=NOW)
    found = watches.evaluate_everyone(watch_id=rule.watch_id, now=NOW)
    assert (found.began, found.ceased) == (1, 1)
    assert (tags_of(ann), tags_of(ben)) == (set(), {"上海"})
    watch = Watch.objects.get(pk=rule.watch_id)
    assert (watch.evaluated_version, watch.evaluated_at) == (watch.version, NOW)


def test_enabling_queues_one_job_that_does_it() -> None:
    ann = make_member(city="上海")
    rule = make_rule({"field": "city", "op": "eq", "value": "上海"}, make_tag("上海"), enabled=False)
    automatic.enable(rule_id=rule.pk, now=NOW)
    automatic.enable(rule_id=rule.pk, now=NOW)
    job = Job.objects.get(kind=watch_runs.JOB_KIND)
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.counts, job.result_url) == (JobState.SUCCEEDED, {"changed": 1}, f"/tags/{rule.tag_id}/")
    assert tags_of(ann) == {"上海"}


def test_changing_an_enabled_rule_moves_the_tag_to_whom_it_means_now() -> None:
    ann, ben = make_member(city="上海"), make_member(city="杭州")
    rule = make_rule({"field": "city", "op": "eq", "value": "上海"}, make_tag("本地"))
    definition = {"condition": {"field": "city", "op": "eq", "value": "杭州"}}
    automatic.update(rule_id=rule.pk, version=1, form="condition", definition=definition, now=NOW)
    watches.evaluate_everyone(watch_id=rule.watch_id, now=NOW)
    assert (tags_of(ann), tags_of(ben)) == (set(), {"本地"})


def test_a_rule_over_another_rules_tag_follows_in_the_same_batch() -> None:
    first = make_rule(did("page", 2), make_tag("常客"))
    second = make_rule(
        {"all": [{"field": "tag", "op": "any_of", "value": [first.tag_id]}, did("buy")]}, make_tag("熟客")
    )
    third = make_rule({"field": "tag", "op": "any_of", "value": [second.tag_id]}, make_tag("贵客"))
    ann = make_member()
    land([event(ann, "page"), event(ann, "buy")])
    assert tags_of(ann) == set()
    land([event(ann, "page")])
    assert tags_of(ann) == {"常客", "熟客", "贵客"}
    tagging.remove(member_ids=[ann.pk], tag_ids=[first.tag_id], now=NOW)
    assert tags_of(ann) == set()
    assert stored(third.watch) == set()


def test_a_tag_put_on_by_hand_is_followed_too() -> None:
    vip = make_tag("VIP")
    make_rule({"field": "tag", "op": "any_of", "value": [vip.pk]}, make_tag("优先"))
    unrelated, ann = make_tag("茶"), make_member()
    tagging.assign(member_ids=[ann.pk], tag_ids=[unrelated.pk], now=NOW)
    assert tags_of(ann) == {"茶"}
    tagging.assign(member_ids=[ann.pk], tag_ids=[vip.pk], now=NOW)
    assert tags_of(ann) == {"茶", "VIP", "优先"}


def test_what_is_computed_elsewhere_is_followed_when_it_says_so() -> None:
    rule = make_rule({"field": "city", "op": "eq", "value": "上海"}, make_tag("上海"))
    ann, ben = make_member(city="上海"), make_member(city="上海")
    watches.refresh(topics={"rfm"}, member_ids=[ann.pk], now=NOW)
    assert tags_of(ann) == set()
    watches.refresh(topics={"profile"}, member_ids=[ann.pk], now=NOW)
    assert (tags_of(ann), tags_of(ben)) == ({"上海"}, set())
    assert stored(rule.watch) == {ann.pk}


def test_members_enter_and_leave_a_followed_segment_once_everyone_was_seen() -> None:
    old, ann = make_member(), make_member()
    happen(old, "buy")
    segment = segments.create(name="买家", condition=did("buy", 1, days=30), now=NOW)
    segments.follow(segment_id=segment.pk, now=NOW)
    watch = Watch.objects.get(kind=WatchKind.SEGMENT)
    watches.evaluate_everyone(watch_id=watch.pk, now=NOW)
    happen(ann, "buy")
    watches.sweep(now=NOW + 31 * DAY)

    def seen(member: Any) -> list[str]:
        rows = Event.objects.filter(member=member, type__key__startswith="segment.").order_by("occurred_at")
        return list(rows.values_list("type__key", flat=True))

    assert (seen(old), seen(ann)) == (["segment.left"], ["segment.entered", "segment.left"])


def test_a_rule_over_a_segment_follows_its_definition() -> None:
    ann, ben = make_member(city="上海"), make_member(city="杭州")
    segment = segments.create(name="本地", condition={"field": "city", "op": "eq", "value": "上海"}, now=NOW)
    rule = make_rule({"field": "segment", "op": "any_of", "value": [segment.pk]}, make_tag("本地"))
    assert tags_of(ann) == {"本地"}
    Segment.objects.filter(pk=segment.pk).update(condition={"field": "city", "op": "eq", "value": "杭州"})
    assert watches.reconsider(topics={f"segment:{segment.pk}"}, now=NOW) == 1
    watches.evaluate_everyone(watch_id=rule.watch_id, now=NOW)
    assert (tags_of(ann), tags_of(ben)) == (set(), {"本地"})


def test_a_condition_that_can_no_longer_be_read_stops_its_rule_and_nothing_else() -> None:
    author = make_user()
    broken, sound = make_rule(did("page"), make_tag("坏")), make_rule(did("page"), make_tag("好"))
    TagRule.objects.filter(pk=broken.pk).update(created_by=author)
    condition = {"field": "nowhere", "op": "eq", "value": 1}
    Watch.objects.filter(pk=broken.watch_id).update(condition=condition, version=9)
    ann = make_member()
    happen(ann, "page")
    assert tags_of(ann) == {"好"}
    broken.refresh_from_db()
    watch = Watch.objects.get(pk=broken.watch_id)
    assert (broken.state, watch.enabled, bool(watch.broken)) == (RuleState.BROKEN, False, True)
    told = Notification.objects.get(user=author)
    assert (told.values["name"], told.url) == ("坏", f"/tags/{broken.tag_id}/")
    assert TagRule.objects.get(pk=sound.pk).state == RuleState.ENABLED
    happen(ann, "page")
    assert Notification.objects.filter(user=author).count() == 1


def test_a_condition_that_fails_on_data_stops_its_rule_and_nothing_else() -> None:
    fields.register(
        Field("broken", "Broken", "Test", FieldType.INTEGER,
              lambda _context: Column(Sql("1 / (m.id - m.id)"), Sql("m.city = 'x'")), topics=frozenset({"event:page"}))
    )  # fmt: skip
    try:
        broken = make_rule({"field": "broken", "op": "eq", "value": 1}, make_tag("坏"))
        sound = make_rule(did("page"), make_tag("好"))
        ann = make_member(city="x")
        happen(ann, "page")
        assert tags_of(ann) == {"好"}
        assert TagRule.objects.get(pk=broken.pk).state == RuleState.BROKEN
        assert "division by zero" in Watch.objects.get(pk=broken.watch_id).broken
        assert stored(sound.watch) == {ann.pk}
    finally:
        del fields._registry["broken"]


def test_a_watch_is_refused_when_it_cannot_be_read() -> None:
    with pytest.raises(Invalid):
        watches.create(kind=WatchKind.TAG, condition={"field": "nowhere", "op": "eq", "value": 1}, now=NOW)
    assert not Watch.objects.exists()


def test_the_nightly_check_finds_what_no_fact_told() -> None:
    rule = make_rule({"field": "city", "op": "eq", "value": "上海"}, make_tag("上海"))
    ann = make_member(city="上海")
    assert tags_of(ann) == set()
    job_id = watch_runs.start_nightly(now=NOW, actor=SYSTEM)
    assert job_id is not None
    assert watch_runs.start_nightly(now=NOW, actor=SYSTEM) is None
    jobs.run(job_id=job_id)
    assert (tags_of(ann), Job.objects.get(pk=job_id).counts) == ({"上海"}, {"changed": 1})
    assert stored(rule.watch) == truth(rule.watch, now=NOW)


def test_a_discarded_watch_leaves_nothing_behind() -> None:
    rule = make_rule(did("page", 1, days=7))
    happen(make_member(), "page")
    automatic.delete(rule_id=rule.pk, now=NOW)
    assert [model.objects.count() for model in (Watch, WatchMember, WatchFlip)] == [0, 0, 0]
    happen(make_member(), "page")


def test_more_watches_than_one_statement_holds() -> None:
    """Beyond 62 the watches are cut into statements; every one is still answered."""
    rules = [make_rule(did(f"kind{number % 4}", 1 + number // 40), make_tag(f"规则{number}")) for number in range(70)]
    ann = make_member()
    land([event(ann, f"kind{number % 4}") for number in range(8)])
    assert tags_of(ann) == {f"规则{number}" for number in range(70)}
    assert all(stored(rule.watch) == {ann.pk} for rule in rules)


def test_the_beat_sweeps_until_nothing_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = make_rule(did("page", 1, days=7))
    members = [make_member() for _ in range(5)]
    land([event(member, "page") for member in members])
    monkeypatch.setattr("scrm.common.clock.now", lambda: NOW + 8 * DAY)
    tasks.sweep_watches()
    assert (stored(rule.watch), WatchFlip.objects.count()) == (set(), 0)


def test_a_backlog_is_swept_in_one_tick_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first chunks of a tick are small and rest; what they leave is swept in larger ones."""
    rule = make_rule(did("page", 1, days=7))
    land([event(make_member(), "page") for _ in range(9)])
    monkeypatch.setattr("scrm.common.clock.now", lambda: NOW + 8 * DAY)
    monkeypatch.setattr(watches, "_GENTLE_CHUNKS", 2)
    monkeypatch.setattr(watches, "_GENTLE_SIZE", 1)
    monkeypatch.setattr(watches, "_SIZE", 4)
    assert watches.sweep_due() == 9
    assert (stored(rule.watch), WatchFlip.objects.count()) == (set(), 0)
