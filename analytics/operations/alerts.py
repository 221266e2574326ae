"""Alert rules, and the alerts that a publication gives cause for: kept, shown on the pages, sent as notifications."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from analytics.enums import AiplStage, AlertAgainst, AlertDirection, AlertPart, RunState, Stage
from analytics.models import Alert, AlertRule, LifecycleRun, RfmModel, RfmRun
from analytics.queries import rfm
from analytics.rules import alerts as rules
from analytics.rules import rfm as rfm_rules
from scrm.common.access import DataScope, Role
from scrm.common.errors import Conflict, Invalid, NotFound
from scrm.common.models import Notification, User
from scrm.common.transactions import atomic

MOST_RULES = 100
_DAYS = {AlertAgainst.WEEK: 7, AlertAgainst.MONTH: 30}
_GREW = gettext_noop("%(name)s has grown by %(percent)s%%: from %(before)s to %(after)s members (%(model)s)")
_SHRANK = gettext_noop("%(name)s has shrunk by %(percent)s%%: from %(before)s to %(after)s members (%(model)s)")


@dataclass(frozen=True, slots=True)
class Rule:
    """What an alert rule says; `model_id` for classes and layers, `key` empty for each of them."""

    part: str
    direction: str
    percent: int
    against: str = AlertAgainst.FORMER
    key: str = ""
    model_id: int | None = None
    smallest: int = 10
    enabled: bool = True

    def checked(self) -> Rule:
        """Raises `Invalid`; `field` names the place."""
        for field, value, known in (
            ("part", self.part, AlertPart.values),
            ("direction", self.direction, AlertDirection.values),
            ("against", self.against, AlertAgainst.values),
        ):
            if value not in known:
                raise Invalid(_("This is not one of the choices."), code="unknown_choice", field=field)
        if not 1 <= self.percent <= 10_000:
            raise Invalid(_("A number from 1 to 10,000 is needed."), code="out_of_range", field="percent")
        if not 0 <= self.smallest <= 1_000_000_000:
            raise Invalid(_("This number is too large."), code="out_of_range", field="smallest")
        of_model = self.part in (AlertPart.CLASS, AlertPart.LAYER)
        if of_model and not RfmModel.objects.filter(pk=self.model_id or 0).exists():
            raise Invalid(_("There is no such RFM model."), code="no_such_model", field="model")
        if self.key and self.key not in _labels(self.part, self.model_id):
            raise Invalid(_("There is no such class, layer or stage."), code="unknown_key", field="key")
        return self if of_model else Rule(**{**_plain(self), "model_id": None})


def create(*, rule: Rule) -> AlertRule:
    """A new rule, judged from the next publication on. Raises `Invalid` and `Conflict` (`too_many_rules`)."""
    with atomic():
        if AlertRule.objects.count() >= MOST_RULES:
            raise Conflict(
                _("There are %(count)s rules already: delete one first.") % {"count": MOST_RULES}, code="too_many_rules"
            )
        return AlertRule.objects.create(**_plain(rule.checked()))


def update(*, rule_id: int, rule: Rule) -> AlertRule:
    """Change a rule. Raises `NotFound` and `Invalid`."""
    with atomic():
        found = AlertRule.objects.select_for_update().filter(pk=rule_id).first()
        if found is None:
            raise NotFound(_("There is no such alert rule."), code="no_such_rule")
        for name, value in _plain(rule.checked()).items():
            setattr(found, name, value)
        found.save()
    return found


def delete(*, rule_id: int) -> None:
    """Delete a rule and its alerts. Raises `NotFound`."""
    with atomic():
        if not AlertRule.objects.filter(pk=rule_id).delete()[0]:
            raise NotFound(_("There is no such alert rule."), code="no_such_rule")


def judge_rfm(run: RfmRun, *, now: datetime) -> int:
    """Judge the rules of the run's model, inside the publication's transaction. Answers how many alerts there are."""
    found = 0
    for rule in AlertRule.objects.filter(enabled=True, model_id=run.model_id):
        former = _former(RfmRun.objects.filter(model_id=run.model_id), rule, run)
        if former is None:
            continue
        part = "classes" if rule.part == AlertPart.CLASS else "layers"
        found += _judge(
            rule, _members(former.distribution.get(part, {})), _members(run.distribution.get(part, {})), former.as_of,
            now=now, rfm_run=run, url=f"/rfm/?model={run.model_id}",
        )  # fmt: skip
    return found


def judge_lifecycle(run: LifecycleRun, *, now: datetime) -> int:
    """The same for stages."""
    found = 0
    for rule in AlertRule.objects.filter(enabled=True, part__in=[AlertPart.STAGE, AlertPart.AIPL]):
        former = _former(LifecycleRun.objects.all(), rule, run)
        if former is None:
            continue
        part = "stages" if rule.part == AlertPart.STAGE else "aipl"
        found += _judge(
            rule, former.distribution.get(part, {}), run.distribution.get(part, {}), former.as_of,
            now=now, lifecycle_run=run, url="/lifecycle/",
        )  # fmt: skip
    return found


def _former(runs: Any, rule: AlertRule, run: RfmRun | LifecycleRun) -> Any:
    """The published run to compare with: the one before, or the last one as of so many days earlier."""
    found = runs.filter(state=RunState.PUBLISHED, pk__lt=run.pk).order_by("-id")
    if days := _DAYS.get(AlertAgainst(rule.against)):
        found = found.filter(as_of__lte=run.as_of - timedelta(days=days))
    return found.first()


def _members(part: Mapping[str, Any]) -> dict[str, int]:
    return {key: values[0] for key, values in part.items()}


def _judge(
    rule: AlertRule,
    before: Mapping[str, int],
    after: Mapping[str, int],
    compared_on: date,
    *,
    now: datetime,
    url: str,
    **run: Any,
) -> int:
    found = list(
        rules.judge(
            before=before,
            after=after,
            keys=[rule.key] if rule.key else [],
            direction=rule.direction,
            percent=rule.percent,
            smallest=rule.smallest,
        )
    )
    if not found:
        return 0
    Alert.objects.bulk_create(
        Alert(rule=rule, key=row.key, before=row.before, after=row.after, compared_on=compared_on, at=now, **run)
        for row in found
    )
    with translation.override(settings.LANGUAGE_CODE):
        labels = _labels(rule.part, rule.model_id)
        model = rule.model.name if rule.model is not None else str(AlertPart(rule.part).label)
    people = list(
        User.objects.filter(is_active=True, data_scope=DataScope.ALL, role__in=[Role.ADMIN, Role.OPERATOR]).values_list(
            "pk", flat=True
        )
    )
    Notification.objects.bulk_create(
        Notification(
            user_id=user_id,
            level="warning",
            message=_SHRANK if row.after < row.before else _GREW,
            values={
                "name": labels.get(row.key, row.key),
                "percent": f"{row.percent:,}",
                "before": f"{row.before:,}",
                "after": f"{row.after:,}",
                "model": model,
            },
            url=url,
        )
        for user_id in people
        for row in found
    )
    return len(found)


def _labels(part: str, model_id: int | None) -> dict[str, str]:
    if part == AlertPart.STAGE:
        return {stage.value: str(stage.label) for stage in Stage}
    if part == AlertPart.AIPL:
        return {stage.value: str(stage.label) for stage in AiplStage}
    model = RfmModel.objects.filter(pk=model_id or 0).first()
    if model is None:
        return {}
    definition = rfm_rules.parse(model.definition)
    names = rfm.class_names(definition) if part == AlertPart.CLASS else rfm.layer_names(definition)
    return {name.key: name.label for name in names}


def _plain(rule: Rule) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in Rule.__slots__}
