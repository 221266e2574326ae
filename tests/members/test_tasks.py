"""Tasks: what counts, how often, within which window; chains; undoing. Saturday 21 November 2026 is day 0."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from members.models import Event, Grant, Member, Task, TaskCompletion, TaskFact, TaskProgress
from members.operations import intake, task_runs, tasks
from members.operations.task_definitions import Content
from scrm.common.errors import Conflict, Invalid, NotFound
from tests.factories import NOW, make_member
from tests.members.tasking import at, balance, buy, do, done, event, fill_in, make_task, points, progress, refund

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> Member:
    return make_member(name="安")


def days(*offsets: float) -> list[Any]:
    return [at(one) for one in offsets]


# (what it says, the task, when the member acts in days from NOW, the cycles that are done, progress by cycle)
CASES = [
    ("two of three are not done", {}, [0, 0.1], [], {"1": 2}),
    ("three of three are done", {}, [0, 0.1, 0.2], ["1"], {"1": 3}),
    ("a fourth counts for nothing when it can be done once", {}, [0, 0.1, 0.2, 0.3], ["1"], {"1": 3}),
    ("done twice when twice is allowed", {"times": 2}, [0, 0.1, 0.2, 0.3, 0.4, 0.5], ["1", "2"], {"1": 3, "2": 3}),
    ("without end", {"times": 0, "needed": 1}, [0, 1, 2], ["1", "2", "3"], {"1": 1, "2": 1, "3": 1}),
    ("a weekly task begins anew on Monday: Saturday, Sunday and Monday are two weeks",
     {"window": "week", "times": 0}, [0, 1, 2], [], {"2026-11-16": 2, "2026-11-23": 1}),
    ("a weekly task done within one week", {"window": "week", "times": 0}, [-5, -4, 0], ["2026-11-16"],
     {"2026-11-16": 3}),
    ("a weekly task done in two weeks", {"window": "week", "times": 0, "needed": 1}, [0, 1, 2, 3],
     ["2026-11-16", "2026-11-23"], {"2026-11-16": 1, "2026-11-23": 1}),
    ("a weekly task that can be done once in all", {"window": "week", "times": 1, "needed": 1}, [0, 2],
     ["2026-11-16"], {"2026-11-16": 1}),
    ("the day ends at midnight in Shanghai, 16:00 UTC", {"window": "day", "times": 0, "needed": 2},
     [0, 11.9 / 24, 12 / 24], ["2026-11-21"], {"2026-11-21": 2, "2026-11-22": 1}),
    ("a month begins on the first", {"window": "month", "times": 0, "needed": 2}, [-21, -20, 0],
     ["2026-11-01"], {"2026-10-01": 1, "2026-11-01": 2}),
    ("three within any two days", {"window": "rolling", "window_days": 2}, [-9, -5, -3.5, -3.1], ["1"], {"1": 3}),
    ("exactly two days later is too late", {"window": "rolling", "window_days": 2}, [-2, -1, 0], [], {"1": 2}),
    ("a moment before two days is in time", {"window": "rolling", "window_days": 2}, [-2, -1, -0.001], ["1"], {"1": 3}),
    ("on three different days", {"measure": "days"}, [0, 0.1, 0.2, 1], [], {"1": 2}),
    ("on three different days is done on the third", {"measure": "days"}, [-5, -5.1, -1, 1], ["1"], {"1": 4 - 1}),
    ("three days in a row", {"measure": "streak"}, [-2, -1, 0], ["1"], {"1": 3}),
    ("a missed day begins the row anew", {"measure": "streak"}, [-4, -3, -1, 0], [], {"1": 2}),
    ("spring: what was before the task began does not count", {"starts_at": at(-1)}, [-3, -2, 0], [], {"1": 1}),
    ("what was after its last day does not count", {"ends_at": at(1)}, [0, 0.5, 1], [], {"1": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("says", "values", "offsets", "cycles", "counted"), CASES, ids=[case[0] for case in CASES])
def test_windows(ann: Member, says: str, values: dict[str, Any], offsets: list[float], cycles: list[str],
                 counted: dict[str, int]) -> None:  # fmt: skip
    task = make_task(**values)
    for when in days(*offsets):
        do(ann, when, now=at(2))
    assert done(ann, task) == cycles
    assert progress(ann, task) == counted
    assert balance(ann) == 30 * len(cycles)


def test_late_and_doubled_events_end_the_same(ann: Member) -> None:
    task = make_task(window="week", times=0)
    items = [event(ann, when) for when in days(0, -1, -5)]
    for one in [*reversed(items), *items]:
        intake.land_events(items=[one, one], now=NOW)
    assert done(ann, task) == ["2026-11-16"]
    assert TaskCompletion.objects.get().completed_at == NOW
    assert balance(ann) == 30
    assert TaskFact.objects.filter(member=ann).count() == 3


def test_an_earlier_fact_that_comes_later_moves_the_completion(ann: Member) -> None:
    task = make_task(needed=2)
    do(ann, at(-3), at(0))
    do(ann, at(-2))
    assert TaskCompletion.objects.get(task=task).completed_at == at(-2)
    assert balance(ann) == 30


def test_properties_narrow_events(ann: Member) -> None:
    where = [{"property": "title", "op": "contains", "value": "育儿"}]
    task = make_task(counting={"types": ["page"], "where": where}, needed=1)
    do(ann, title="首页")
    assert done(ann, task) == []
    do(ann, title="育儿入门")
    assert done(ann, task) == ["1"]


def test_amounts_of_events_add_up(ann: Member) -> None:
    task = make_task(counting={"types": ["recharge"]}, measure="sum", needed=10_000)
    do(ann, type="recharge", amount="60")
    assert progress(ann, task) == {"1": 6_000}
    do(ann, type="recharge", amount="40")
    assert done(ann, task) == ["1"]


def test_a_refunded_order_undoes_the_task_and_takes_the_points_back(ann: Member) -> None:
    task = make_task("order", kind="order", needed=2)
    buy(ann, number="A")
    buy(ann, number="B", when=at(-1))
    assert (done(ann, task), balance(ann)) == (["1"], 30)
    refund(ann, "B", "40")
    assert (done(ann, task), balance(ann)) == (["1"], 30)
    refund(ann, "B", "60")
    assert (done(ann, task), balance(ann), progress(ann, task)) == ([], 0, {"1": 1})
    buy(ann, number="C")
    assert (done(ann, task), balance(ann)) == (["1"], 30)
    assert TaskCompletion.objects.get().round == 2
    noted = Event.objects.filter(member=ann, type__key__startswith="task.").order_by("received_at", "message_id")
    assert sorted(noted.values_list("message_id", flat=True)) == [
        f"task.completed:{task.pk}:1:1", f"task.completed:{task.pk}:1:2", f"task.undone:{task.pk}:1:1",
    ]  # fmt: skip


def test_an_order_below_the_minimum_does_not_count(ann: Member) -> None:
    task = make_task("big", kind="order", counting={"minimum": 10_000})
    buy(ann, "99.99")
    buy(ann, "120", number="B")
    assert done(ann, task) == ["1"]
    refund(ann, "B", "20.01")
    assert (done(ann, task), balance(ann)) == ([], 0)


def test_an_order_counts_when_it_is_paid(ann: Member) -> None:
    task = make_task("order", kind="order")
    buy(ann, number="A", state="created", version_at=at(-1))
    assert done(ann, task) == []
    buy(ann, number="A", version_at=at(0))
    assert done(ann, task) == ["1"]
    buy(ann, number="A", state="closed", version_at=at(0.1))
    assert (done(ann, task), balance(ann)) == ([], 0)


def test_the_spending_of_a_month_follows_partial_refunds(ann: Member) -> None:
    task = make_task("spend", kind="order", measure="sum", needed=50_000, window="month", times=0)
    buy(ann, "300", number="A")
    buy(ann, "250", number="B")
    assert done(ann, task) == ["2026-11-01"]
    refund(ann, "A", "50.01")
    assert (done(ann, task), progress(ann, task)) == ([], {"2026-11-01": 49_999})


def test_a_profile_is_complete_when_all_its_fields_are(ann: Member) -> None:
    task = make_task("profile", kind="profile", counting={"fields": ["name", "birthday", "phone"]})
    fill_in(ann, city="上海")
    assert progress(ann, task) == {"1": 1}
    fill_in(ann, birth_on=at(-9_000).date(), phone="+8613800000001")
    assert (done(ann, task), balance(ann)) == (["1"], 30)


def test_who_has_done_it_already_is_found_when_it_is_started(ann: Member) -> None:
    fill_in(ann, phone="+8613800000001")
    other = make_member(name="")
    task = make_task("profile", kind="profile", counting={"fields": ["name", "phone"]}, since=NOW)
    assert (done(ann, task), done(other, task)) == (["1"], [])


def test_a_chain_is_unlocked_link_by_link(ann: Member) -> None:
    first = make_task("first", kind="order", rewards=[points(10)])
    second = make_task("second", kind="order", after=[first], rewards=[points(20)])
    third = make_task("third", kind="order", after=[second], rewards=[points(40)])
    buy(ann, when=at(-3), number="A")
    assert [done(ann, one) for one in (first, second, third)] == [["1"], [], []]
    buy(ann, when=at(-2), number="B")
    buy(ann, when=at(-1), number="C")
    assert balance(ann) == 70
    refund(ann, "A", "100")  # B is the first now
    assert [done(ann, one) for one in (first, second, third)] == [["1"], ["1"], []]
    assert balance(ann) == 30
    assert TaskCompletion.objects.get(task=first).completed_at == at(-2)


def test_facts_of_before_the_unlocking_count_when_the_task_says_so(ann: Member) -> None:
    profile = make_task("profile", kind="profile", counting={"fields": ["name", "city"]}, rewards=[])
    orders = make_task("order", kind="order", after=[profile], counts_earlier=True)
    buy(ann, when=at(-3))
    assert done(ann, orders) == []
    fill_in(ann, city="上海")
    assert done(ann, orders) == ["1"]
    assert TaskCompletion.objects.get(task=orders).completed_at == NOW


def test_only_those_whom_the_task_is_for_complete_it(ann: Member) -> None:
    task = make_task(needed=1, who={"field": "city", "op": "eq", "value": "上海"})
    do(ann)
    assert (done(ann, task), progress(ann, task)) == ([], {"1": 1})
    fill_in(ann, city="上海")
    assert (done(ann, task), balance(ann)) == (["1"], 30)
    fill_in(ann, city="杭州")
    assert done(ann, task) == ["1"]


def test_a_pause_is_a_gap_in_which_nothing_counts(ann: Member) -> None:
    task = make_task()
    do(ann, at(-3), now=at(-3))
    tasks.pause(task_id=task.pk, now=at(-2))
    do(ann, at(-1), now=at(-1))
    tasks.start(task_id=task.pk, now=NOW)
    do(ann, at(1), now=at(1))
    do(ann, at(-2.5), now=at(2))  # late, of before the pause
    assert (done(ann, task), progress(ann, task)) == (["1"], {"1": 3})


def test_an_ended_task_takes_what_comes_late_and_undoes_what_is_refunded(ann: Member) -> None:
    task = make_task("order", kind="order", needed=2)
    buy(ann, when=at(-3), number="A")
    tasks.end(task_id=task.pk, now=at(-1))
    buy(ann, when=at(0))
    assert done(ann, task) == []
    buy(ann, when=at(-2))
    assert done(ann, task) == ["1"]
    refund(ann, "A", "100")
    assert (done(ann, task), balance(ann)) == ([], 0)


def test_stock_rewards_the_first_and_says_so_to_the_rest(ann: Member) -> None:
    task = make_task("order", kind="order", stock=1)
    ben = make_member()
    buy(ann, number="A")
    buy(ben)
    assert (balance(ann), balance(ben)) == (30, 0)
    assert TaskCompletion.objects.get(member=ben).out_of_stock
    refund(ann, "A", "100")  # gives its place back
    cid = make_member()
    buy(cid)
    assert balance(cid) == 30
    assert done(cid, task) == ["1"]


def test_rewards_of_every_kind_are_given_and_taken_back(ann: Member) -> None:
    given = [points(30), points(5, "growth"), {"kind": "grant", "item": "coupon", "key": "welcome", "quantity": 1}]
    make_task("order", kind="order", rewards=given)
    buy(ann, number="A")
    assert (balance(ann), balance(ann, "growth"), Grant.objects.get().state) == (30, 5, "open")
    refund(ann, "A", "100")
    assert (balance(ann), balance(ann, "growth"), Grant.objects.get().state) == (0, 0, "cancelled")


def test_a_reward_is_claimed_once(ann: Member) -> None:
    task = make_task(needed=1, claim="member")
    with pytest.raises(Conflict) as caught:
        tasks.claim(member_id=ann.pk, task_id=task.pk, now=NOW)
    assert caught.value.code == "not_done"
    do(ann)
    assert balance(ann) == 0
    first = tasks.claim(member_id=ann.pk, task_id=task.pk, now=at(1))
    again = tasks.claim(member_id=ann.pk, task_id=task.pk, now=at(2))
    assert first.claimed_at == again.claimed_at == at(1)
    assert balance(ann) == 30


def test_nothing_is_claimed_beyond_the_stock(ann: Member) -> None:
    task = make_task(needed=1, claim="member", stock=0)
    do(ann)
    with pytest.raises(Conflict) as caught:
        tasks.claim(member_id=ann.pk, task_id=task.pk, now=NOW)
    assert caught.value.code == "out_of_stock"
    with pytest.raises(NotFound):
        tasks.claim(member_id=ann.pk, task_id=task.pk + 1, now=NOW)


def test_a_task_can_count_that_another_was_done(ann: Member) -> None:
    make_task("reads", needed=1, window="day", times=0)
    do(ann, at(-1), now=at(-1))
    marathon = make_task("marathon", counting={"types": ["task.completed"]}, needed=2, since=at(-2))
    do(ann, NOW)
    assert done(ann, marathon) == ["1"]


def test_who_is_asked_for_completed_tasks(ann: Member) -> None:
    first = make_task(needed=1)
    who = {"field": "task.completed", "op": "ge", "value": 1, "with": {"task": [first.pk]}}
    second = make_task("second", kind="profile", counting={"fields": ["name"]}, who=who)
    do(ann)
    assert done(ann, first) == ["1"]
    fill_in(ann, city="上海")
    assert done(ann, second) == ["1"]


def test_what_counts_is_kept_once_started_and_rewards_follow_the_version(ann: Member) -> None:
    task = make_task(needed=1, window="day", times=0)
    do(ann, at(-1))
    content = Content(
        name="改名", kind="event", counting={"types": ["page"]}, needed=1, window="day", times=0, rewards=[points(50)]
    )
    changed = tasks.change(task_id=task.pk, version=1, content=content, now=NOW)
    do(ann, NOW)
    assert balance(ann) == 80
    assert list(TaskCompletion.objects.order_by("cycle").values_list("version", flat=True)) == [1, 2]
    assert list(changed.versions.order_by("version").values_list("content__name", flat=True)) == ["reads", "改名"]
    with pytest.raises(Conflict) as caught:
        tasks.change(task_id=task.pk, version=2, content=Content("x", "event", {"types": ["page"]}, needed=2), now=NOW)
    assert (caught.value.code, caught.value.detail["field"]) == ("started", "needed")
    with pytest.raises(Conflict) as caught:
        tasks.change(task_id=task.pk, version=1, content=content, now=NOW)
    assert caught.value.code == "changed_meanwhile"


def test_tasks_do_not_unlock_each_other_in_a_circle() -> None:
    first = make_task("first", started=False)
    second = make_task("second", started=False, after=[first])
    content = Content("first", "event", {"types": ["page"]}, needed=3, after=[second.pk])
    with pytest.raises(Invalid) as caught:
        tasks.change(task_id=first.pk, version=1, content=content, now=NOW)
    assert caught.value.code == "cycle"
    with pytest.raises(Conflict) as in_use:
        tasks.delete(task_id=first.pk)
    assert in_use.value.code == "in_use"
    tasks.delete(task_id=second.pk)
    tasks.delete(task_id=first.pk)
    assert not Task.objects.exists()


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"name": ""}, "bad_text", "name"),
    ({"name": "a\0b"}, "bad_text", "name"),
    ({"kind": "dance"}, "invalid", "kind"),
    ({"measure": "streak", "kind": "order", "counting": {}}, "measure_unfit", "measure"),
    ({"counting": {"types": []}}, "missing", "counting.types"),
    ({"counting": {"types": ["nobody-did"]}}, "unknown_type", "counting.types"),
    ({"counting": {"types": ["page"], "x": 1}}, "unknown_field", "counting.x"),
    ({"counting": {"types": ["page"], "where": [{"property": "a", "op": "is"}]}}, "bad_test", "counting.where"),
    ({"counting": []}, "invalid", "counting"),
    ({"needed": 0}, "out_of_range", "needed"),
    ({"needed": 10**30}, "out_of_range", "needed"),
    ({"needed": 1.5}, "out_of_range", "needed"),
    ({"window": "rolling"}, "out_of_range", "window_days"),
    ({"window": "rolling", "window_days": 400}, "out_of_range", "window_days"),
    ({"window_days": 3}, "out_of_range", "window_days"),
    ({"measure": "days", "window": "day"}, "window_unfit", "window"),
    ({"measure": "days", "window": "week", "needed": 8}, "out_of_range", "needed"),
    ({"times": -1}, "out_of_range", "times"),
    ({"stock": -1}, "out_of_range", "stock"),
    ({"starts_at": at(1), "ends_at": at(0)}, "ends_early", "ends_at"),
    ({"rewards": [points(0)]}, "out_of_range", "rewards[0].amount"),
    ({"rewards": [points(1, "stars")]}, "unknown_currency", "rewards[0].currency"),
    ({"after": [10**12]}, "unknown", "after"),
    ({"who": {"field": "nothing", "op": "eq", "value": 1}}, "unknown_field", ""),
    ({"kind": "order", "counting": {"stores": [10**30]}}, "unknown", "counting.stores"),
    ({"kind": "order", "counting": {"minimum": -1}}, "out_of_range", "counting.minimum"),
    ({"kind": "profile", "counting": {"fields": ["shoe"]}}, "unknown_field", "counting.fields"),
    ({"kind": "profile", "counting": {"fields": ["name"]}, "window": "day"}, "window_unfit", "window"),
    ({"kind": "checkin", "measure": "streak", "counting": {"calendar": 9}}, "unknown", "counting.calendar"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "code", "field"), BAD)
def test_what_a_task_cannot_say_is_refused(values: dict[str, Any], code: str, field: str) -> None:
    make_task("known", started=False)
    content = Content(**{"name": "x", "kind": "event", "counting": {"types": ["page"]}, **values})
    with pytest.raises(Invalid) as caught:
        tasks.create(key="bad", content=content, now=NOW)
    assert caught.value.code == code
    assert caught.value.detail.get("field", "") == field


def test_a_state_that_does_not_allow_it_is_refused() -> None:
    task = make_task(started=False, ends_at=at(-1), starts_at=at(-9))
    for act, code in ((tasks.pause, "not_active"), (tasks.end, "not_started"), (tasks.start, "over")):
        with pytest.raises(Conflict) as caught:
            act(task_id=task.pk, now=NOW)
        assert caught.value.code == code


def test_a_task_that_does_not_hang_on_it_costs_a_batch_nothing(ann: Member) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            do(ann)
        return len(captured)

    do(ann)
    before = statements()
    make_task(counting={"types": ["other"]})
    do(ann)  # reads it
    assert statements() == before


def test_many_members_and_tasks_take_no_more_statements_than_one() -> None:
    for number in range(3):
        make_task(f"t{number}", needed=1, rewards=[])
    people = [make_member() for _ in range(8)]

    def statements(members: list[Member]) -> int:
        with CaptureQueriesContext(connection) as captured:
            intake.land_events(items=[event(one) for one in members], now=NOW)
        return len(captured)

    statements(people[:1])
    assert statements(people[1:3]) == statements(people[3:])
    assert TaskCompletion.objects.count() == 24


def test_evaluating_everyone_again_changes_nothing(ann: Member) -> None:
    task = make_task(needed=1, window="day", times=0)
    do(ann, at(-1), at(0))
    before = list(TaskProgress.objects.values()), list(TaskCompletion.objects.values())
    assert task_runs.evaluate_everyone(task_id=task.pk, now=at(1)) == 1
    assert (list(TaskProgress.objects.values()), list(TaskCompletion.objects.values())) == before
    assert balance(ann) == 60
