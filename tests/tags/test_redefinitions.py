"""What conditions name means something else from one moment to the next: rules and followed segments follow at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from analytics.operations import rfm_models
from members.models import Event, Store, Task
from members.operations import attributes, organisation, task_definitions, task_runs
from members.operations import tasks as definitions
from scrm.common import jobs
from scrm.common.models import Job, Notification
from tags import tasks as tasks  # registers the handlers of jobs
from tags.enums import RuleState
from tags.models import Segment, TagRule, Watch
from tags.operations import segments, watches
from tests.analytics.test_workbench import compute
from tests.factories import NOW, make_member, make_order, make_region, make_store, make_user
from tests.members.tasking import do, make_task
from tests.tags.watching import DAY, did, due, make_rule, make_tag, moves, stored, tags_of, truth

pytestmark = pytest.mark.django_db


def waiting() -> list[int]:
    """The watches that a job is queued for."""
    rows = Job.objects.filter(kind="evaluate_watch", state="queued").order_by("pk")
    return [job.params["watch_id"] for job in rows]


def work() -> None:
    """What the workers would do now."""
    for job_id in Job.objects.filter(state="queued").order_by("pk").values_list("pk", flat=True):
        jobs.run(job_id=job_id)


def of_region(region_id: int) -> dict[str, Any]:
    return {"field": "region", "op": "in", "value": [region_id]}


def move(store: Store, region_id: int | None, **changed: Any) -> None:
    """Save the store as its page does."""
    values = organisation.StoreValues(
        code=store.code, name=store.name, kind=store.kind, region_id=region_id, city=store.city, is_active=True,
    )  # fmt: skip
    organisation.save_store(store_id=store.pk, values={**values, **changed}, now=NOW)  # type: ignore[typeddict-item]


def test_a_store_that_moves_takes_its_members_into_the_rules_of_its_new_region() -> None:
    east, north = make_region("east", "华东"), make_region("north", "华北")
    store, other = make_store("S1", region=east), make_store("S2", region=east)
    ann, ben = make_member(store=store), make_member(store=other)
    southern, northern = make_rule(of_region(east.pk), make_tag("东")), make_rule(of_region(north.pk), make_tag("北"))
    elsewhere = make_rule({"field": "city", "op": "eq", "value": "上海"}, make_tag("上海"))
    work()
    move(store, north.pk)
    assert waiting() == [southern.watch_id, northern.watch_id]
    work()
    assert (tags_of(ann), tags_of(ben)) == ({"北"}, {"东"})
    for rule in (southern, northern, elsewhere):
        assert stored(rule.watch) == truth(rule.watch, now=NOW)


def test_a_store_that_changes_its_name_moves_nobody() -> None:
    east = make_region()
    store = make_store("S1", region=east)
    make_rule(of_region(east.pk))
    work()
    move(store, east.pk, name="新店名")
    assert waiting() == []
    assert Store.objects.get().name == "新店名"


def test_a_segment_of_a_region_notes_who_moved_with_the_store() -> None:
    east, north = make_region("east", "华东"), make_region("north", "华北")
    store = make_store("S1", region=east)
    ann = make_member(store=store)
    inner = segments.create(name="华北", condition=of_region(north.pk), now=NOW)
    condition = {"all": [{"field": "segment", "op": "any_of", "value": [inner.pk]}]}
    outer = segments.create(name="华北会员", condition=condition, now=NOW)
    segments.follow(segment_id=outer.pk, now=NOW)
    work()
    move(store, north.pk)
    work()
    noted = Event.objects.filter(type__key="segment.entered").values_list("member_id", "properties__segment")
    assert list(noted) == [(ann.pk, "华北会员")]


def test_another_default_model_moves_the_tags_that_name_none() -> None:
    """Of two models one counts the last month only, so that whoever bought before is nobody to it."""
    default = rfm_models.ensure_default()
    short = rfm_models.create(content=rfm_models.Content("三十天", 30))
    old, new = make_member(), make_member()
    make_order(old, paid_at=NOW - 200 * DAY)
    make_order(new, paid_at=NOW - 2 * DAY)
    compute(default)
    compute(short)
    scored = {"field": "rfm.f", "op": "set"}
    rule = make_rule(scored, make_tag("有评分"))
    other = make_rule({**scored, "with": {"model": default.pk}}, make_tag("标准"))
    assert (tags_of(old), tags_of(new)) == ({"有评分", "标准"}, {"有评分", "标准"})
    work()
    rfm_models.make_default(model_id=short.pk, now=NOW)
    assert rule.watch_id in waiting()
    work()
    assert (tags_of(old), tags_of(new)) == ({"标准"}, {"有评分", "标准"})
    rfm_models.make_default(model_id=short.pk, now=NOW)
    assert waiting() == []
    assert stored(other.watch) == truth(other.watch, now=NOW)


def begun(task: Task) -> dict[str, Any]:
    return {"field": "task.open", "op": "any_of", "value": [task.pk]}


def test_a_task_that_pauses_goes_on_and_ends_turns_who_has_begun_it() -> None:
    """Without the nightly run; rules over what was done are not evaluated again."""
    task = make_task("reads")
    ann, ben = make_member(), make_member()
    done = {"field": "task.completed", "op": "ge", "value": 1}
    rule, finished = make_rule(begun(task), make_tag("差一次")), make_rule(done, make_tag("做完"))
    work()
    do(ann, NOW)
    do(ben, NOW, NOW, NOW)
    assert (tags_of(ann), tags_of(ben), waiting()) == ({"差一次"}, {"做完"}, [])
    for act, holders in (
        (lambda: definitions.pause(task_id=task.pk, now=NOW), set()),
        (lambda: definitions.start(task_id=task.pk, now=NOW), {ann.pk}),
        (lambda: definitions.end(task_id=task.pk, now=NOW), set()),
    ):
        act()
        assert waiting() == [rule.watch_id]
        act()  # twice changes nothing
        assert waiting() == [rule.watch_id]
        work()
        assert stored(rule.watch) == truth(rule.watch, now=NOW) == holders
    assert moves(ann) == [("tag.added", "差一次"), ("tag.removed", "差一次")] * 2
    assert (tags_of(ben), stored(finished.watch)) == ({"做完"}, {ben.pk})


def test_a_task_whose_end_moves_is_followed_at_the_new_instant() -> None:
    """Brought forward, put off, and put off when it is over already."""
    task = make_task("reads", ends_at=NOW + 10 * DAY)
    ann = make_member()
    rule = make_rule(begun(task), make_tag("差一次"))
    do(ann, NOW)

    def change(day: int, **values: Any) -> list[int]:
        """The watches that are evaluated for everyone thereby."""
        Job.objects.all().delete()
        found = Task.objects.get()
        content = replace(task_definitions.of(found), **values)
        definitions.change(task_id=task.pk, version=found.version, content=content, now=NOW + day * DAY)
        for watch_id in waiting():
            watches.evaluate_everyone(watch_id=watch_id, now=NOW + day * DAY)
        return waiting()

    def has_it(day: int) -> bool:
        while watches.sweep(now=NOW + day * DAY):
            pass
        return tags_of(ann, now=NOW + day * DAY) == {"差一次"}

    assert due(rule, ann) == NOW + 10 * DAY
    assert change(0, ends_at=NOW + 2 * DAY) == [rule.watch_id]
    assert due(rule, ann) == NOW + 2 * DAY
    assert change(1, ends_at=NOW + 4 * DAY) == [rule.watch_id]
    assert (has_it(2), due(rule, ann)) == (True, NOW + 4 * DAY)
    assert change(3, name="看三页") == []
    assert (has_it(4), due(rule, ann)) == (False, None)
    assert change(5, ends_at=NOW + 8 * DAY) == [rule.watch_id]
    assert (has_it(7), has_it(8)) == (True, False)


def test_a_task_that_starts_for_the_first_time_turns_nobody_until_somebody_has_begun_it() -> None:
    task = make_task("reads", started=False)
    make_rule({"field": "task.open", "op": "set"}, make_tag("在做"))
    work()
    ann, ben = make_member(), make_member()
    do(ann, NOW)
    definitions.start(task_id=task.pk, now=NOW - DAY)
    assert waiting() == []
    assert tags_of(ann) == set()
    task_runs.evaluate_everyone(task_id=task.pk, now=NOW)  # what the workers do now
    assert (tags_of(ann), tags_of(ben)) == ({"在做"}, set())


def test_a_rule_over_a_deleted_custom_field_stops_at_once_and_tells_its_author() -> None:
    field = attributes.create(key="skin", label="肤质", type="choice", choices=["干性", "油性"])
    rule = make_rule({"field": "attribute.skin", "op": "in", "value": ["干性"]}, make_tag("干性肌肤"))
    sound = make_rule(did("page"), make_tag("看过"))
    author = make_user()
    TagRule.objects.filter(pk=rule.pk).update(created_by=author)
    attributes.delete(attribute_id=field.pk, even_if_used=True, now=NOW)
    watch = Watch.objects.get(pk=rule.watch_id)
    assert (watch.enabled, "attribute.skin" in watch.broken) == (False, True)
    assert TagRule.objects.get(pk=rule.pk).state == RuleState.BROKEN
    assert TagRule.objects.get(pk=sound.pk).state == RuleState.ENABLED
    assert Notification.objects.get(user=author).values["name"] == "干性肌肤"


def test_a_choice_that_is_taken_away_stops_the_rules_that_name_it_and_no_other() -> None:
    field = attributes.create(key="skin", label="肤质", type="choice", choices=["干性", "油性"])
    dry = make_rule({"field": "attribute.skin", "op": "in", "value": ["干性"]})
    oily = make_rule({"field": "attribute.skin", "op": "in", "value": ["油性"]})
    attributes.update(attribute_id=field.pk, label="肤质", choices=["油性", "混合"], now=NOW)
    states = [TagRule.objects.get(pk=rule.pk).state for rule in (dry, oily)]
    assert states == [RuleState.BROKEN, RuleState.ENABLED]


def test_a_change_that_is_rolled_back_leaves_the_rules_alone() -> None:
    field = attributes.create(key="skin", label="肤质", type="text")
    segment = segments.create(name="肤质", condition={"field": "attribute.skin", "op": "set"}, now=NOW)
    rule = make_rule({"field": "segment", "op": "any_of", "value": [segment.pk]})
    with pytest.raises(Exception, match="skin|肤质"):
        attributes.delete(attribute_id=field.pk, now=NOW)
    assert Watch.objects.get(pk=rule.watch_id).enabled
    assert Segment.objects.get().condition == {"field": "attribute.skin", "op": "set"}
    assert watches.reconsider(topics={"region"}, now=NOW) == 0
