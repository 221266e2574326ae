"""What of the membership programme uses a custom field, a segment or a tag: listed before that is deleted or merged.

What has ended uses nothing any more. Few rows each: rules, benefits and tasks are made by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import F
from django.urls import reverse

from members.enums import BenefitState, EarningState, TaskKind, TaskState
from members.models import Benefit, EarningRuleVersion, Task
from members.rules import earning_tags
from scrm.common import dependents
from scrm.common.conditions.named import names_field, segments_named, tags_named
from scrm.common.dependents import Dependent, Thing

# Whether a raw condition, or the definition of an earning rule, names the thing.
Names = Callable[[Any], bool]


def using_field(key: str) -> list[Dependent]:
    """What uses a field of conditions, by its key; also tasks to fill it in."""
    return _using(lambda condition: names_field(condition, key), filled_in=key)


def using_segment(segment_id: int) -> list[Dependent]:
    return _using(lambda condition: segment_id in segments_named(condition))


def using_tag(tag_id: int) -> list[Dependent]:
    """What uses a tag: also rules that multiply for whoever has it."""
    return _using(lambda condition: tag_id in tags_named(condition), multiplying=tag_id)


def _using(names: Names, *, multiplying: int = 0, filled_in: str = "") -> list[Dependent]:
    newest = (
        EarningRuleVersion.objects.filter(number=F("rule__version"))
        .exclude(rule__state=EarningState.ENDED)
        .select_related("rule")
    )
    benefits = Benefit.objects.exclude(state=BenefitState.ENDED).exclude(condition=None)
    tasks = Task.objects.exclude(state=TaskState.ENDED)
    return [
        *(
            Dependent("earning_rule", one.rule.name, reverse("earning_detail", args=[one.rule_id]))
            for one in newest.order_by("rule__name")
            if names(one.definition.get("condition"))
            or (multiplying and earning_tags.multiplies(one.definition, multiplying))
        ),
        *(
            Dependent("benefit", one.name, reverse("benefit_detail", args=[one.pk]))
            for one in benefits.order_by("name")
            if names(one.condition)
        ),
        *(
            Dependent("task", one.name, reverse("task_detail", args=[one.pk]))
            for one in tasks.order_by("name")
            if names(one.who) or (one.kind == TaskKind.PROFILE and filled_in in one.counting["fields"])
        ),
    ]


dependents.register(Thing.FIELD, using_field)
dependents.register(Thing.SEGMENT, using_segment)
dependents.register(Thing.TAG, using_tag)
