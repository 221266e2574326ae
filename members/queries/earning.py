"""Earning rules as pages and the API show them, and why a fact earned what it did."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from members.models import (
    EarningPeriod,
    EarningRule,
    EarningRuleVersion,
    EarningTrial,
    Order,
    PointsCurrency,
    PointsEarning,
)
from members.queries import directory, earning_facts, earning_words
from members.rules import earning_parse
from members.rules.earning import Definition
from scrm.common import conditions
from scrm.common.access import Actor
from scrm.common.errors import NotFound


def rules() -> QuerySet[EarningRule]:
    """Every rule, with its currency and what its budget has given."""
    return EarningRule.objects.select_related("currency", "budget").order_by("id")


@dataclass(frozen=True, slots=True)
class Listed:
    """A rule with its newest version read, and the period that counts or is to come."""

    rule: EarningRule
    version: EarningRuleVersion
    definition: Definition
    period: EarningPeriod | None

    @property
    def broken(self) -> str:
        """Why the condition can no longer be read: then the rule gives nobody anything."""
        try:
            if self.definition.condition is not None:
                conditions.parse(self.definition.condition)
        except conditions.BadCondition as error:
            return str(error)
        return ""

    @property
    def sentence(self) -> str:
        return earning_words.sentences(self.definition, currency=self.rule.currency.name)[0]

    @property
    def used(self) -> int:
        return self.rule.budget.used if hasattr(self.rule, "budget") else 0

    @property
    def budget(self) -> int | None:
        return self.definition.caps.get("budget")

    @property
    def used_percent(self) -> int:
        return min(100, self.used * 100 // self.budget) if self.budget else 0


def listed(*, state: str = "") -> list[Listed]:
    """All rules in the order in which they are applied, those that have ended last."""
    found = list(rules().filter(state=state) if state else rules())
    newest = {
        version.rule_id: version
        for version in EarningRuleVersion.objects.filter(rule__in=found).order_by("rule_id", "number")
    }
    periods = {
        period.rule_id: period for period in EarningPeriod.objects.filter(rule__in=found).order_by("starts_at")
    }  # fmt: skip
    rows = [Listed(rule, newest[rule.pk], read(newest[rule.pk], rule.trigger), periods.get(rule.pk)) for rule in found]
    return sorted(rows, key=lambda row: (row.rule.state == "ended", row.definition.position, row.rule.pk))


def get(rule_id: int) -> EarningRule:
    """Raises `NotFound`."""
    rule = rules().filter(pk=rule_id).first()
    if rule is None:
        raise NotFound(_("There is no such rule."), code="unknown_rule")
    return rule


def newest(rule: EarningRule) -> EarningRuleVersion:
    return rule.versions.get(number=rule.version)


def read(version: EarningRuleVersion, trigger: str) -> Definition:
    return earning_parse.parse(version.definition, trigger=trigger)


def words(rule: EarningRule, version: EarningRuleVersion) -> list[str]:
    return earning_words.sentences(read(version, rule.trigger), currency=rule.currency.name)


@dataclass(frozen=True, slots=True)
class Historic:
    """A version with what changed in it against the one before, in words, and when it counts."""

    version: EarningRuleVersion
    gone: list[str]
    come: list[str]
    periods: list[EarningPeriod] = field(default_factory=list)


def history(rule: EarningRule) -> list[Historic]:
    """The versions, newest first."""
    found, before = [], list[str]()
    for version in rule.versions.order_by("number").prefetch_related("periods"):
        said = words(rule, version)
        found.append(
            Historic(
                version,
                [one for one in before if one not in said],
                [one for one in said if one not in before],
                sorted(version.periods.all(), key=lambda period: period.starts_at),
            )
        )
        before = said
    return found[::-1]


def trials(rule_id: int) -> QuerySet[EarningTrial]:
    return EarningTrial.objects.filter(rule_id=rule_id).select_related("version", "job").order_by("-id")


def trial(trial_id: int) -> EarningTrial:
    """Raises `NotFound`."""
    found = (
        EarningTrial.objects.select_related("rule__currency", "version", "job").filter(pk=trial_id).first()
    )  # fmt: skip
    if found is None:
        raise NotFound(_("There is no such dry run."), code="unknown_trial")
    return found


@dataclass(frozen=True, slots=True)
class Explained:
    """What an order earned in one currency."""

    currency: PointsCurrency
    occurred_at: datetime
    gross: int
    points: int
    booked: int
    lines: list[dict[str, Any]]

    @property
    def sentences(self) -> list[str]:
        return [earning_words.line_sentence(line) for line in self.lines]


def explain(*, order_id: UUID, actor: Actor) -> list[Explained]:
    """Why an order earned what it did, by currency; nothing when no rule was about it.

    Raises `NotFound` for an order that is not there or of a member whom the actor may not see.
    """
    order = Order.objects.filter(pk=order_id, member__in=directory.visible(actor)).first()
    if order is None:
        raise NotFound(_("There is no such order."), code="unknown_order")
    rows = PointsEarning.objects.filter(
        member_id=order.member_id, source=earning_facts.order_source(order.pk)
    ).select_related("currency")  # fmt: skip
    return [
        Explained(row.currency, row.occurred_at, row.gross, row.points, row.booked, row.lines)
        for row in rows.order_by("currency_id")
    ]


def definition_text(version: EarningRuleVersion) -> str:
    """For people who read JSON."""
    return json.dumps(version.definition, ensure_ascii=False, indent=2)
