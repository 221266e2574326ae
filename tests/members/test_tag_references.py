"""A merged tag in the membership programme: rules, benefits and tasks ask for the surviving one; none is lost."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from members.models import Benefit, EarningRule, EarningRuleVersion, Member, PointsAccount, Task, TaskVersion
from members.operations import benefits, currencies, earning_rules, intake
from members.operations.tag_references import hold
from members.queries import earning_words, loyalty_uses
from members.rules.earning_tags import restated
from members.rules.intake import MemberRef, OrderIn, RefundIn
from scrm.common import conditions, jobs
from scrm.common.access import SYSTEM
from scrm.common.errors import Conflict
from scrm.common.models import Job
from tags.models import Tag
from tags.operations import catalogue, merging, tagging
from tags.tasks import run_merge_tags as run_merge_tags  # registers what runs the job
from tests.factories import NOW, make_member
from tests.members.giving import make_benefit
from tests.members.tasking import do, done, make_task

pytestmark = pytest.mark.django_db
START = NOW - timedelta(days=30)


@pytest.fixture
def pair() -> tuple[Tag, Tag]:
    group = catalogue.create_group(name="兴趣")
    return catalogue.create_tag(group_id=group.pk, name="爱喝茶"), catalogue.create_tag(group_id=group.pk, name="茶友")


def put(tag: Tag, *members: Member) -> None:
    tagging.assign(member_ids=[one.pk for one in members], tag_ids=[tag.pk], now=START)


def merge(tag: Tag, into: Tag) -> merging.Merged:
    return merging.merge(tag_id=tag.pk, into_id=into.pk, actor=SYSTEM, now=NOW)


def asking(tag: Tag) -> dict[str, Any]:
    return {"all": [{"field": "tag", "op": "any_of", "value": [tag.pk]}]}


def times(tag: Tag, factor: str) -> dict[str, Any]:
    return {"kind": "tag", "value": tag.pk, "factor": factor}


def make_rule(name: str, *, active: bool = True, **definition: Any) -> EarningRule:
    currencies.get("points")
    rule = earning_rules.create(
        name=name, currency="points", trigger="order", definition={"base": {"points": 1}, **definition}, now=START
    )
    return earning_rules.activate(rule_id=rule.pk, now=START) if active else rule


def land(member: Member, number: str, *, paid: timedelta = timedelta(minutes=1), amount: str = "100") -> None:
    at = NOW + paid
    order = OrderIn(
        number=number, source="shop", member=MemberRef(member_id=member.pk), amount=Decimal(amount), state="paid",
        ordered_at=at, paid_at=at,
    )  # fmt: skip
    [outcome] = intake.land_orders(items=[order], now=max(at, NOW))
    assert outcome.status == "accepted"


def balance(member: Member) -> int:
    return sum(PointsAccount.objects.filter(member=member).values_list("available", flat=True))


def said(rule: EarningRule) -> list[tuple[int, Any, str]]:
    return [
        (one.number, one.definition, one.note) for one in EarningRuleVersion.objects.filter(rule=rule).order_by("pk")
    ]


def test_rules_get_a_version_that_asks_for_the_surviving_tag(pair: tuple[Tag, Tag]) -> None:
    old, new = pair
    ann, ben, cat = make_member(), make_member(), make_member()
    put(old, ann)
    put(new, ben)
    rule = make_rule("茶友积分", condition=asking(old), multipliers=[times(old, "2"), times(new, "3")])
    draft = make_rule("草稿", active=False, multipliers=[times(old, "2")])
    paused = make_rule("暂停", condition=asking(old))
    earning_rules.pause(rule_id=paused.pk, now=NOW - timedelta(days=1))
    ended = make_rule("结束", condition=asking(old))
    earning_rules.end(rule_id=ended.pk, now=NOW - timedelta(days=1))
    other = make_rule("别的", condition={"field": "tag_group", "op": "any_of", "value": [old.group_id]})
    done = merge(old, new)
    assert (done.moved, done.rewritten) == (1, 3)
    note = "把“爱喝茶”合并到“茶友”"
    assert said(rule)[1:] == [
        (2, {"base": {"points": 1}, "condition": asking(new), "multipliers": [times(new, "3")]}, note)
    ]
    assert said(draft)[1:] == [(2, {"base": {"points": 1}, "multipliers": [times(new, "2")]}, note)]
    assert said(paused)[1:] == [(2, {"base": {"points": 1}, "condition": asking(new)}, note)]
    assert (len(said(ended)), len(said(other))) == (1, 1)
    spans = [(one.version.number, one.starts_at, one.ends_at) for one in rule.periods.order_by("starts_at")]
    assert spans == [(1, START, NOW), (2, NOW, None)]
    assert {one.label for one in loyalty_uses.using_tag(new.pk)} == {"茶友积分", "草稿", "暂停"}
    assert loyalty_uses.using_tag(old.pk) == []
    for member, number in ((ann, "A"), (ben, "B"), (cat, "C")):
        land(member, number)
    assert (balance(ann), balance(ben), balance(cat)) == (400, 400, 0)


def test_orders_of_before_that_come_late_and_refunds_count_by_the_former_version(pair: tuple[Tag, Tag]) -> None:
    old, new = pair
    ann, ben = make_member(), make_member()
    put(old, ann, ben)
    make_rule("茶友双倍", multipliers=[times(old, "2")])
    asked = make_rule("茶友加赠", condition=asking(old), base={"points": 3})
    # Says nothing of the tag any more: only orders of before go by the version that did.
    earning_rules.revise(
        rule_id=asked.pk, version=1, definition={"base": {"points": 3}, "condition": asking(new)}, now=NOW
    )
    before = -timedelta(days=1)
    land(ann, "A", paid=before)
    assert balance(ann) == 500
    merge(old, new)
    land(ben, "B", paid=before)
    assert balance(ben) == 500
    refund = RefundIn(
        source="shop", number="R", amount=Decimal(50), refunded_at=NOW, order_number="A",
        member=MemberRef(member_id=ann.pk),
    )  # fmt: skip
    intake.land_refunds(items=[refund], now=NOW)
    assert balance(ann) == 250


def test_where_both_multiply_the_higher_factor_stays() -> None:
    listed = [
        {"kind": "tag", "value": 7, "factor": "2.5"},
        {"kind": "tier", "value": "gold", "factor": "2"},
        {"kind": "tag", "value": 9, "factor": 2, "name": "茶友"},
    ]
    gold = listed[1]
    assert restated({"multipliers": listed}, old=7, new=9) == {
        "multipliers": [gold, {"kind": "tag", "value": 9, "factor": "2.5"}]
    }
    assert restated({"multipliers": listed}, old=9, new=7) == {"multipliers": listed[:2]}
    assert restated({"multipliers": listed[:2]}, old=7, new=9) == {
        "multipliers": [{"kind": "tag", "value": 9, "factor": "2.5"}, gold]
    }


def test_benefits_ask_for_the_surviving_tag(pair: tuple[Tag, Tag]) -> None:
    old, new = pair
    ann, cat = make_member(), make_member()
    put(old, ann)
    made = make_benefit("tea", condition=asking(old))
    assert merge(old, new).rewritten == 1
    benefit = Benefit.objects.get(pk=made.pk)
    assert (benefit.condition, benefit.version) == (asking(new), made.version + 1)
    assert not benefits.claim(member_id=ann.pk, benefit_key="tea", reference="1", now=NOW).duplicate
    with pytest.raises(Conflict) as caught:
        benefits.claim(member_id=cat.pk, benefit_key="tea", reference="2", now=NOW)
    assert caught.value.code == "not_entitled"


def test_tasks_ask_for_the_surviving_tag_and_everyone_is_looked_at(pair: tuple[Tag, Tag]) -> None:
    old, new = pair
    ann, ben, cat = make_member(), make_member(), make_member()
    put(old, ann)
    put(new, ben)
    made = make_task("tea", needed=2, who=asking(old))
    draft = make_task("later", started=False, who=asking(old))
    do(ben, NOW - timedelta(days=2), NOW - timedelta(days=1))
    assert done(ben, made) == []
    assert merge(old, new).rewritten == 2
    task = Task.objects.get(pk=made.pk)
    assert (task.who, task.version, Task.objects.get(pk=draft.pk).who) == (asking(new), made.version + 1, asking(new))
    assert TaskVersion.objects.get(task=task, version=task.version).content["who"] == asking(new)
    [job] = Job.objects.filter(kind="evaluate_task", state="queued", params__task_id=made.pk)
    import members.tasks  # noqa: F401, PLC0415  # registers what runs the job

    jobs.run(job_id=job.pk)
    # Who had done it without being meant is meant now.
    assert done(ben, made) == ["1"]
    for member in (ann, cat):
        do(member, NOW, NOW - timedelta(hours=1))
    assert (done(ann, made), done(cat, made)) == (["1"], [])


def test_a_condition_that_still_names_the_merged_tag_means_the_other_one(pair: tuple[Tag, Tag]) -> None:
    old, new = pair
    both = {"field": "tag", "op": "all_of", "value": [old.pk, new.pk]}
    weight = {"field": "tag.weight", "op": "ge", "value": 1, "with": {"tag": old.pk}}
    merge(old, new)
    [leaf] = conditions.leaves(conditions.parse(both))
    assert leaf.value == [new.pk]
    [leaf] = conditions.leaves(conditions.parse(weight))
    assert leaf.params == {"tag": new.pk}
    assert "茶友" in earning_words.conditions_tag(old.pk)


def test_while_a_large_merge_is_under_way_the_tag_means_itself(
    pair: tuple[Tag, Tag], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "AT_ONCE", 0)
    old, new = pair
    ann = make_member()
    put(old, ann)
    rule = make_rule("茶友积分", condition=asking(old))
    merged = merge(old, new)
    land(ann, "A")
    assert balance(ann) == 100
    assert merged.job_id is not None
    jobs.run(job_id=merged.job_id)
    assert [number for number, _, _ in said(rule)] == [1, 2]
    land(ann, "B", paid=timedelta(minutes=2))
    assert balance(ann) == 200
    [leaf] = conditions.leaves(conditions.parse(asking(old)))
    assert leaf.value == [new.pk]
    # Gone on with after a crash, it changes nothing more.
    merging.rewrite(tag_id=old.pk, into_id=new.pk, why="", now=NOW)
    assert [number for number, _, _ in said(rule)] == [1, 2]


def test_gates_are_shut_only_where_a_rule_names_the_tag(pair: tuple[Tag, Tag], django_assert_num_queries: Any) -> None:
    old, new = pair
    make_rule("茶友积分", condition=asking(old))
    with django_assert_num_queries(1):
        hold(new.pk)
    with django_assert_num_queries(2):
        hold(old.pk)
