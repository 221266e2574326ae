"""Earning rules: making them, their versions, and from when until when these count."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from members.enums import EarningState, EarningTrigger
from members.models import (
    EarningBudget,
    EarningPeriod,
    EarningRule,
    EarningRuleVersion,
    EventType,
    Product,
    Source,
    Store,
)
from members.operations import currencies, earning_gate
from members.queries import earning_words
from members.queries.member_tiers import known_tiers
from members.rules import earning_parse
from members.rules.earning import Definition
from members.rules.earning_parse import BadRule
from scrm.common import conditions
from scrm.common.conditions.where import read_tests
from scrm.common.errors import Conflict, Invalid, NotFound
from scrm.common.transactions import atomic, current_actor

MOST_RULES = 200
LONGEST_DEFINITION = 200_000
LONGEST_NOTE = 200
# How far back a rule may be applied to orders that are there already.
OLDEST_START = timedelta(days=3_660)


def read(raw: Any, *, trigger: str, now: datetime) -> Definition:
    """The checked definition: every tag, store, product, event type, condition and tier that it names is there.

    Raises `Invalid`, its `field` naming what is wrong ("multipliers[0].factor"), or `conditions.BadCondition`.
    """
    if trigger not in EarningTrigger.values:
        raise _bad("unknown_choice", "trigger")
    if len(json.dumps(raw)) > LONGEST_DEFINITION:
        raise _bad("too_many", "definition")
    try:
        definition = earning_parse.parse(raw, trigger=trigger)
    except BadRule as error:
        raise _bad(error.code, error.field) from error
    _check_names(definition)
    try:
        read_tests(list(definition.where))
    except ValueError as error:
        raise Invalid(str(error), code="bad_value", field="event.where") from error
    if definition.condition is not None:
        _try(definition.condition, now)
    return definition


def create(*, name: str, currency: str, trigger: str, definition: Any, note: str = "", now: datetime) -> EarningRule:
    """A new rule, as a draft. Raises as `read` does, and `Invalid` (`bad_name`, `taken`), `NotFound`."""
    read(definition, trigger=trigger, now=now)
    with atomic():
        kind = currencies.get(currency)
        name = _named(name)
        if EarningRule.objects.exclude(state=EarningState.ENDED).count() >= MOST_RULES:
            raise Conflict(_("No more rules."), code="too_many")
        rule = EarningRule.objects.create(
            name=name, currency=kind, trigger=EarningTrigger(trigger), created_by=current_actor().ref
        )
        _version(rule, definition, note)
        return rule


def revise(
    *, rule_id: int, version: int, definition: Any, name: str | None = None, note: str = "", now: datetime
) -> EarningRule:
    """Let a rule say something else: the next version. Of an active rule it counts for facts from now on; what others
    have earned stays. `version` is the one that was read.

    Raises `NotFound`, `Conflict` (`changed_meanwhile`, `ended`), `Invalid` (`below_used` …) as `read` does.
    """
    with atomic():
        earning_gate.GATE.shut()
        rule = _locked(rule_id)
        if rule.version != version:
            raise Conflict(
                _("Somebody else has changed this meanwhile."), code="changed_meanwhile", version=rule.version
            )
        found = read(definition, trigger=rule.trigger, now=now)
        _check_budget(rule, found)
        if name is not None:
            rule.name = _named(name, rule.pk)
        _next(rule, definition, note, now)
        return rule


def restate(*, rule_id: int, definition: Any, note: str, now: datetime) -> None:
    """Let a rule say the same by another name, as its next version: a tag that it names was merged into another.

    Not checked: what could not be read before is not the concern of whoever merged. Inside a transaction that has shut
    the gate. Raises `NotFound`, `Conflict` (`ended`).
    """
    _next(_locked(rule_id), definition, note, now)


def activate(
    *, rule_id: int, starts_at: datetime | None = None, ends_at: datetime | None = None, now: datetime
) -> EarningRule:
    """Let the newest version count: for facts from `starts_at` (now) until before `ends_at` (no end).

    A start in the past also concerns orders that are there already: `earning_backfill.queue` looks at those. It cannot
    lie before the end of an earlier period. Raises `NotFound`, `Conflict` (`ended`, `is_active`), `Invalid`.
    """
    starts_at = starts_at or now
    if starts_at < now - OLDEST_START:
        raise Invalid(_("At most ten years back."), code="out_of_range", field="starts_at")
    if starts_at > now + OLDEST_START:
        raise Invalid(_("At most ten years ahead."), code="out_of_range", field="starts_at")
    if ends_at is not None and ends_at > now + OLDEST_START:
        raise Invalid(_("At most ten years ahead."), code="out_of_range", field="ends_at")
    if ends_at is not None and ends_at <= max(starts_at, now):
        raise Invalid(_("It ends before it starts."), code="ends_early", field="ends_at")
    with atomic():
        earning_gate.GATE.shut()
        rule = _locked(rule_id)
        if rule.state == EarningState.ACTIVE and rule.periods.exclude(ends_at__lte=now).exists():
            raise Conflict(_("The rule is active already."), code="is_active")
        newest = rule.versions.get(number=rule.version)
        definition = read(newest.definition, trigger=rule.trigger, now=now)
        _check_budget(rule, definition)
        last = rule.periods.order_by("-starts_at").first()
        if last is not None and (last.ends_at is None or last.ends_at > starts_at):
            raise Invalid(
                _("The rule counted then already, in another version."), code="counted_before", field="starts_at"
            )
        EarningPeriod.objects.create(rule=rule, version=newest, starts_at=starts_at, ends_at=ends_at)
        rule.state = EarningState.ACTIVE
        rule.save(update_fields=["state"])
        return rule


def pause(*, rule_id: int, now: datetime) -> EarningRule:
    """Let a rule not count from now on; it can be activated again. What was earned stays. Twice changes nothing."""
    return _stop(rule_id, EarningState.PAUSED, now)


def end(*, rule_id: int, now: datetime) -> EarningRule:
    """Let a rule not count from now on, for good. What was earned stays. Twice changes nothing."""
    return _stop(rule_id, EarningState.ENDED, now)


def _stop(rule_id: int, state: EarningState, now: datetime) -> EarningRule:
    with atomic():
        earning_gate.GATE.shut()
        rule = _locked(rule_id, ended=state == EarningState.ENDED)
        if rule.state == state:
            return rule
        if state == EarningState.PAUSED and rule.state != EarningState.ACTIVE:
            raise Conflict(_("The rule is not active."), code="not_active")
        _close(rule, now)
        rule.state = state
        rule.save(update_fields=["state"])
        return rule


def _close(rule: EarningRule, now: datetime) -> None:
    """End the period that counts now, and take back one that is still to come."""
    rule.periods.filter(starts_at__gte=now).delete()
    for period in rule.periods.filter(starts_at__lt=now).exclude(ends_at__lte=now):
        period.ends_at = now
        period.save(update_fields=["ends_at"])


def _next(rule: EarningRule, definition: Any, note: str, now: datetime) -> None:
    """The rule's next version; it counts from now on where the one before it was to count."""
    rule.version += 1
    made = _version(rule, definition, note)
    rule.save(update_fields=["name", "version"])
    _go_on(rule, made, now)


def _go_on(rule: EarningRule, version: EarningRuleVersion, now: datetime) -> None:
    """Let another version count from now on, until and from when the one before it was to count."""
    period = rule.periods.exclude(ends_at__lte=now).order_by("starts_at").first()
    if period is not None:
        starts_at, ends_at = max(period.starts_at, now), period.ends_at
        _close(rule, now)
        EarningPeriod.objects.create(rule=rule, version=version, starts_at=starts_at, ends_at=ends_at)


def _locked(rule_id: int, *, ended: bool = False) -> EarningRule:
    rule = EarningRule.objects.select_for_update(no_key=True).filter(pk=rule_id).first()
    if rule is None:
        raise NotFound(_("There is no such rule."), code="unknown_rule")
    if rule.state == EarningState.ENDED and not ended:
        raise Conflict(_("The rule has ended."), code="ended")
    return rule


def _version(rule: EarningRule, definition: Any, note: str) -> EarningRuleVersion:
    if len(note) > LONGEST_NOTE or "\x00" in note:
        raise Invalid(_("A note is at most 200 characters."), code="bad_text", field="note")
    return EarningRuleVersion.objects.create(
        rule=rule, number=rule.version, definition=definition, note=note, created_by=current_actor().ref
    )


def _named(name: str, rule_id: int = 0) -> str:
    name = name.strip()
    if not 1 <= len(name) <= 60 or not name.isprintable():
        raise Invalid(_("A name of 1 to 60 characters is needed."), code="bad_name", field="name")
    if EarningRule.objects.filter(name=name).exclude(pk=rule_id).exists():
        raise Invalid(_("This is already in use."), code="taken", field="name")
    return name


def _check_budget(rule: EarningRule, definition: Definition) -> None:
    budget = definition.caps.get("budget")
    used = EarningBudget.objects.filter(rule=rule).values_list("used", flat=True).first() or 0
    if budget is not None and budget < used:
        raise Invalid(
            _("%(used)s points of the budget are used already.") % {"used": used}, code="below_used",
            field="caps.budget", used=used,
        )  # fmt: skip


def _check_names(definition: Definition) -> None:
    """Refuse names that nothing has. Raises `Invalid` (`unknown_store` …)."""
    _known("sources", definition.sources, Source.objects.values_list("key", flat=True))
    _known("stores", definition.stores, Store.objects.filter(code__in=definition.stores).values_list("code", flat=True))
    _known("products", definition.products, _skus(definition.products))
    _known("categories", definition.categories, _categories(definition.categories))
    if definition.event_type and not EventType.objects.filter(key=definition.event_type).exists():
        raise Invalid(_("There is no such event."), code="unknown_event", field="event.type")
    lookups: dict[str, Callable[[], Iterable[str]]] = {
        "tier": known_tiers,
        "store": lambda: Store.objects.values_list("code", flat=True),
        "product": lambda: _skus({one.value for one in definition.multipliers}),
        "category": lambda: _categories({one.value for one in definition.multipliers}),
    }
    for place, one in enumerate(definition.multipliers):
        found: Collection[str] | None = None
        if one.kind == "tag":
            found = {one.value} if _is_tag(int(one.value)) else set()
        elif one.kind in lookups:
            found = set(lookups[one.kind]())
        if found is not None and one.value not in found:
            raise Invalid(
                earning_words.unknown(one.kind, one.value), code=f"unknown_{one.kind}",
                field=f"multipliers[{place}].value",
            )  # fmt: skip


def _known(scope: str, named: Collection[str], there: Iterable[str]) -> None:
    missing = sorted(set(named) - set(there))
    if missing:
        kind = {"categories": "category"}.get(scope, scope.rstrip("s"))
        raise Invalid(earning_words.unknown(kind, missing[0]), code=f"unknown_{kind}", field=f"scope.{scope}")


def _skus(skus: Collection[str]) -> Iterable[str]:
    return Product.objects.filter(sku__in=skus).values_list("sku", flat=True)


def _categories(names: Collection[str]) -> Iterable[str]:
    return Product.objects.filter(category__in=names).values_list("category", flat=True).distinct()


def _is_tag(tag_id: int) -> bool:
    try:
        conditions.parse({"field": "tag", "op": "any_of", "value": [tag_id]})
    except conditions.BadCondition:
        return False
    return True


def _try(raw: Any, now: datetime) -> None:
    """Run the condition once, for nobody, so that what is stored can be run. Raises `conditions.BadCondition`."""
    holds = conditions.compile_condition(conditions.parse(raw), as_of=now)
    with atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT ({holds.text}) FROM members_member m WHERE m.id = 0", list(holds.params))


def _bad(code: str, field: str) -> Invalid:
    return Invalid(earning_words.refusal(code), code=code, field=field)
