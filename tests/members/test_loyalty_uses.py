"""What of the membership programme uses a tag, a segment or a custom field: said before that goes away."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from members.models import Benefit, EarningRule
from members.operations import attributes, benefit_catalogue, currencies, earning_rules
from members.queries import loyalty_uses
from scrm.common.access import Role
from scrm.common.dependents import Dependent
from scrm.common.errors import Conflict
from tags.operations import catalogue, segments
from tags.queries import tag_dependents
from tests.factories import NOW, client_as
from tests.members.giving import make_benefit
from tests.members.tasking import make_task

pytestmark = pytest.mark.django_db


def make_rule(name: str, **definition: Any) -> EarningRule:
    currencies.get("points")
    return earning_rules.create(
        name=name, currency="points", trigger="order", definition={"base": {"points": 1}, **definition}, now=NOW
    )


def labels(found: list[Dependent]) -> list[tuple[str, str]]:
    return [(one.kind, one.label) for one in found]


def test_a_tag_in_conditions_and_as_a_multiplier() -> None:
    tag = catalogue.create_tag(group_id=catalogue.create_group(name="兴趣").pk, name="茶")
    condition = {"field": "tag", "op": "any_of", "value": [tag.pk]}
    rule = make_rule("茶友积分", condition=condition)
    make_rule("茶友双倍", multipliers=[{"kind": "tag", "value": tag.pk, "factor": "2"}])
    make_rule("基础积分")
    make_benefit("tea", name="茶会", condition=condition)
    make_task("tea", name="品茶", who=condition)
    used = [("earning_rule", "茶友双倍"), ("earning_rule", "茶友积分"), ("benefit", "茶会"), ("task", "品茶")]
    assert labels(tag_dependents.dependents(tag.pk)) == used
    page = client_as(Role.ADMIN).get(reverse("tag_detail", args=[tag.pk])).content.decode()
    assert reverse("earning_detail", args=[rule.pk]) in page
    # What a rule said before, and what has ended, uses nothing any more.
    earning_rules.revise(rule_id=rule.pk, version=1, definition={"base": {"points": 1}}, now=NOW)
    benefit_catalogue.end(benefit_id=Benefit.objects.get(key="tea").pk, now=NOW)
    assert labels(tag_dependents.dependents(tag.pk)) == [used[0], used[3]]


def test_a_segment_that_a_rule_asks_for_is_not_deleted() -> None:
    segment = segments.create(name="上海", condition={"field": "city", "op": "in", "value": ["上海"]}, now=NOW)
    rule = make_rule("上海加赠", condition={"field": "segment", "op": "any_of", "value": [segment.pk]})
    with pytest.raises(Conflict) as caught:
        segments.delete(segment_id=segment.pk, name="上海")
    assert caught.value.detail["dependents"] == [{"kind": "earning_rule", "name": "上海加赠"}]
    earning_rules.end(rule_id=rule.pk, now=NOW)
    segments.delete(segment_id=segment.pk, name="上海")


def test_a_custom_field_in_a_condition_and_as_a_task() -> None:
    field = attributes.create(key="skin", label="肤质", type="text")
    make_rule("肤质积分", condition={"field": "attribute.skin", "op": "set"})
    make_task("fill", name="完善资料", kind="profile", counting={"fields": ["name", "attribute.skin"]})
    assert labels(loyalty_uses.using_field("attribute.skin")) == [("earning_rule", "肤质积分"), ("task", "完善资料")]
    assert loyalty_uses.using_field("attribute.other") == []
    with pytest.raises(Conflict) as caught:
        attributes.delete(attribute_id=field.pk, now=NOW)
    assert caught.value.code == "in_use"
