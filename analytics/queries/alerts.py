"""Alert rules and what they found, for those who see everybody: the figures are of all members."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from analytics.enums import AiplStage, AlertPart, RfmClass, Stage
from analytics.models import Alert, AlertRule
from analytics.queries import rfm
from analytics.rules import rfm as rules
from scrm.common.access import Actor, DataScope

# How many publications back an alert is still shown on the page.
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Shown:
    """An alert as people read it."""

    label: str
    before: int
    after: int
    compared_on: date
    at: datetime

    @property
    def change(self) -> float | None:
        """Relative growth, negative when it shrank; None from nobody."""
        return (self.after - self.before) / self.before if self.before else None


def rule_list(model_id: int | None = None) -> list[AlertRule]:
    """All rules, or those of one model and of stages."""
    found = AlertRule.objects.select_related("model").order_by("part", "model__name", "id")
    return [rule for rule in found if model_id is None or rule.model_id in (None, model_id)]


def find(rule_id: int) -> AlertRule | None:
    return AlertRule.objects.select_related("model").filter(pk=rule_id).first()


def recent(*, actor: Actor, model_id: int | None) -> list[Shown]:
    """The alerts of the newest publication of a model, or (None) of stages, that gave cause for any."""
    if actor.scope != DataScope.ALL:
        return []
    found = Alert.objects.select_related("rule__model").filter(rule__model_id=model_id).order_by("-id")
    newest = found.first()
    if newest is None:
        return []
    same = found.filter(rfm_run_id=newest.rfm_run_id, lifecycle_run_id=newest.lifecycle_run_id)[:SHOWN]
    return [
        Shown(label(row.rule, row.key), row.before, row.after, row.compared_on, row.at) for row in reversed(list(same))
    ]


def label(rule: AlertRule, key: str) -> str:
    """The name of what a rule or an alert is about, in the reader's language."""
    if rule.part == AlertPart.STAGE:
        return str(Stage(key).label) if key in Stage.values else key
    if rule.part == AlertPart.AIPL:
        return str(AiplStage(key).label) if key in AiplStage.values else key
    if rule.model is not None:
        definition = rules.parse(rule.model.definition)
        names = rfm.class_names(definition) if rule.part == AlertPart.CLASS else rfm.layer_names(definition)
        if (found := next((name.label for name in names if name.key == key), None)) is not None:
            return found
    return str(RfmClass(key).label) if key in RfmClass.values else rfm.layer_label(key)
