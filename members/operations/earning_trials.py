"""Dry runs: past orders through a version of a rule, beside the rules in force. Nothing is booked."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache

import numpy as np
from django.urls import reverse
from django.utils.translation import gettext as _

from members.models import EarningRule, EarningTrial
from members.operations import currencies, earning_rules
from members.operations.earning_backfill import newest_member
from members.queries import earning_columns, earning_facts, earning_versions
from members.rules import earning_columns as rules
from members.rules import points as points_rules
from members.rules.earning_trials import Tally
from scrm.common import clock, jobs
from scrm.common.access import Actor
from scrm.common.errors import Conflict, Invalid, NotFound
from scrm.common.jobs import Progress
from scrm.common.transactions import atomic

KIND = "earning.trial"
LONGEST = timedelta(days=3 * 366)
EARLIEST = date(2000, 1, 1)
_MEMBERS = 10_000  # at a time


def queue(
    *, rule_id: int, from_on: date | None = None, until_on: date | None = None, actor: Actor, now: datetime
) -> EarningTrial:
    """Try the newest version of a rule on the orders paid from one shop day to another (the last year).

    Raises `NotFound`, `Conflict` (`not_of_events`), `Invalid` (`ends_early`, `in_future`, `out_of_range`).
    """
    until_on = until_on or clock.shop_date(now)
    from_on = from_on or until_on - timedelta(days=364)
    if until_on < from_on:
        raise Invalid(_("It ends before it starts."), code="ends_early", field="until_on")
    if until_on > clock.shop_date(now):
        raise Invalid(_("This is still to come."), code="in_future", field="until_on")
    if from_on < EARLIEST:
        raise Invalid(_("The number is out of range."), code="out_of_range", field="from_on")
    if until_on - from_on > LONGEST:
        raise Invalid(_("At most three years."), code="out_of_range", field="from_on")
    with atomic():
        rule = EarningRule.objects.filter(pk=rule_id).first()
        if rule is None:
            raise NotFound(_("There is no such rule."), code="unknown_rule")
        if rule.trigger != "order":
            raise Conflict(_("Only rules for orders can be tried on past orders."), code="not_of_events")
        version = rule.versions.get(number=rule.version)
        earning_rules.read(version.definition, trigger=rule.trigger, now=now)
        trial = EarningTrial.objects.create(
            rule=rule, version=version, from_on=from_on, until_on=until_on, created_by=actor.ref
        )
        trial.job = jobs.create(
            kind=KIND,
            label=_("Dry run: %(rule)s, version %(number)s") % {"rule": rule.name, "number": version.number},
            params={"trial": trial.pk},
            actor=actor,
        )
        trial.save(update_fields=["job"])
        return trial


def run(*, progress: Progress) -> None:
    """The job. Called again after a crash it starts over: it takes a minute or two for a million orders."""
    trial = EarningTrial.objects.select_related("rule__currency", "version").get(pk=progress.job.params["trial"])
    replay(trial=trial, progress=progress, now=clock.now())
    progress.finish_with(result_url=reverse("earning_trial", args=[trial.pk]))


def replay(*, trial: EarningTrial, progress: Progress, now: datetime) -> Tally:
    """Add up what both sets of rules give, and keep it with the trial."""
    rule, currency = trial.rule, trial.rule.currency
    tried = earning_versions.counting(
        earning_versions.version_of(
            trial.version_id, rule.pk, trial.version.number, rule.name, trial.version.definition, trigger=rule.trigger
        ),
        currency=currency.key,
        spans=(),
    )
    counting = [
        one
        for one in earning_versions.read()
        if one.currency == currency.key
        and one.version.definition.trigger == "order"
        and earning_versions.in_force(one.spans, now)
    ]
    before = [one.version for one in counting]
    after = [one.version for one in counting if one.version.rule_id != rule.pk] + [tried.version]
    asked = {one.version.id: one for one in [*counting, tried]}
    policy, zone = currencies.policy(currency), clock.shop_zone()

    @lru_cache(maxsize=4_000)
    def is_open(day: int) -> bool:
        noon = clock.day_start(date.fromordinal(day)) + timedelta(hours=12)
        expires_at = points_rules.expiry(policy, noon, zone)
        return expires_at is None or expires_at > now

    lines = any(one.version.definition.looks_at_lines for one in asked.values())
    codes = earning_columns.codes_of(one.version.definition for one in asked.values())
    shop_currency = earning_facts.shop_currency()
    tally, last = Tally(), newest_member()
    progress.report(done=0, total=last)
    for first in range(1, last + 1, _MEMBERS):
        until = min(first + _MEMBERS - 1, last)
        ids, orders = earning_columns.orders(
            first, until, since=clock.day_start(trial.from_on), until=clock.day_end(trial.until_on), lines=lines,
            currency=shop_currency, codes=codes,
        )  # fmt: skip
        if len(ids):
            members = earning_columns.members(ids, counting=list(asked.values()), as_of=now)
            # Each version is asked once, also where both sets have it.
            found = {pk: rules.points_of(one.version, orders, members, codes) for pk, one in asked.items()}
            given_before, _ = rules.apply(before, found, orders)
            given_after, by_rule = rules.apply(after, found, orders)
            days, which = np.unique(orders.day, return_inverse=True)
            still_open = np.array([is_open(day) for day in days.tolist()], dtype=bool)[which]
            tally.add(orders, members, given_before, given_after, by_rule[rule.pk], still_open)
        progress.report(done=until, counts={"orders": tally.orders})
    result = tally.document() | {
        "cost_per_1000": currency.cost_per_1000,
        "budget": tried.version.definition.caps.get("budget"),
        "rules_in_force": len(before),
    }
    EarningTrial.objects.filter(pk=trial.pk).update(result=result, finished_at=now)
    return tally
