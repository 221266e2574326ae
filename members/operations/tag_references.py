"""What of the membership programme names a tag that is merged into another: it names the other one afterwards.

Earning rules get a next version, because versions never change. Facts of the time before, and rules that have ended,
go on by the former ones, in which conditions read the merged tag as the other one.
"""

from __future__ import annotations

from typing import Any

from django.db import connection

from members.enums import EarningState
from members.models import Benefit, EarningRuleVersion, Task
from members.operations import benefit_catalogue, earning_gate, earning_rules, tasks
from members.rules import earning_tags
from scrm.common import dependents
from scrm.common.conditions.named import replace_tag, tags_named
from scrm.common.dependents import Replacement, Thing


def hold(tag_id: int) -> None:
    """Where a version of an earning rule names the tag, let no batch book by it that does not know of the merge."""
    if _versions(tag_id):
        earning_gate.GATE.shut()


def rewrite(replacement: Replacement) -> int:
    """Inside the transaction of the merge; answers how many rules, benefits and tasks were changed."""
    return _rules(replacement) + _benefits(replacement) + _tasks(replacement)


def _rules(replacement: Replacement) -> int:
    versions = _versions(replacement.old)
    # What a process remembers of them was read when the merged tag still stood for itself.
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE members_earningperiod SET ends_at = ends_at WHERE version_id = ANY(%s)",
            [[one.pk for one in versions]],
        )
    newest = [one for one in versions if one.number == one.rule.version and one.rule.state != EarningState.ENDED]
    for one in newest:
        earning_rules.restate(
            rule_id=one.rule_id,
            definition=earning_tags.restated(one.definition, old=replacement.old, new=replacement.new),
            note=replacement.why[: earning_rules.LONGEST_NOTE],
            now=replacement.at,
        )
    return len(newest)


def _benefits(replacement: Replacement) -> int:
    found = [
        one for one in Benefit.objects.exclude(condition=None).order_by("pk") if _names(one.condition, replacement)
    ]
    for one in found:
        condition = replace_tag(one.condition, old=replacement.old, new=replacement.new)
        benefit_catalogue.restate(benefit_id=one.pk, condition=condition, now=replacement.at)
    return len(found)


def _tasks(replacement: Replacement) -> int:
    found = [one for one in Task.objects.exclude(who=None).order_by("pk") if _names(one.who, replacement)]
    for one in found:
        who = replace_tag(one.who, old=replacement.old, new=replacement.new)
        tasks.restate(task_id=one.pk, who=who, now=replacement.at)
    return len(found)


def _versions(tag_id: int) -> list[EarningRuleVersion]:
    """The versions of rules that name the tag, also former ones: those count for facts of their time."""
    # Those whose text holds the number at all.
    rows = EarningRuleVersion.objects.filter(definition__icontains=str(tag_id)).select_related("rule").order_by("pk")
    return [one for one in rows if earning_tags.names(one.definition, tag_id)]


def _names(condition: Any, replacement: Replacement) -> bool:
    return replacement.old in tags_named(condition)


dependents.register_rewriter(Thing.TAG, rewrite, hold=hold)
