"""Benefits in words: who gets them and how often, and why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from members.enums import BenefitState, QuotaPeriod
from members.models import Benefit, BenefitRule
from members.queries import benefit_tiers
from scrm.common import conditions, display
from scrm.common.errors import DomainError


def rules_words(given: Sequence[BenefitRule], names: Mapping[str, str]) -> str:
    """Who and how often, by the rules alone. `names`: of the tiers by key, the lowest first."""
    order = {key: place for place, key in enumerate(names)}
    parts = [
        _("%(who)s: %(quota)s")
        % {
            "who": names.get(rule.tier, rule.tier)
            if rule.tier
            else (_("everybody else") if len(given) > 1 else _("everybody")),
            "quota": quota_words(rule),
        }
        for rule in sorted(given, key=lambda rule: (rule.tier == "", order.get(rule.tier, 99)))
    ]
    if not parts:
        return _("Nobody gets it yet: say who and how often.")
    return pgettext("between rules", "; ").join(parts) + pgettext("end of a sentence", ".")


def sentence(benefit: Benefit, given: Sequence[BenefitRule]) -> str:
    """Who gets a benefit and how often, in words, its condition included."""
    text = rules_words(given, benefit_tiers.names())
    if not given or benefit.condition is None:
        return text
    try:
        return text + " " + _("Only for whom this holds: %(condition)s.") % {"condition": condition_words(benefit)}
    except DomainError:
        return text + " " + _("Its condition names something that is no longer there.")


def quota_words(rule: BenefitRule) -> str:
    """How often, by one rule."""
    if rule.quota is None:
        return _("as often as they like")
    return _("%(count)s × %(period)s") % {"count": rule.quota, "period": QuotaPeriod(rule.period).label}


def condition_words(benefit: Benefit) -> str:
    """Its condition as a sentence. Raises `DomainError` when it cannot be read any more."""
    return conditions.describe(conditions.parse(benefit.condition))


def is_open(benefit: Benefit, now: datetime) -> bool:
    """Whether an instant is within its days."""
    return (benefit.valid_from is None or benefit.valid_from <= now) and (
        benefit.valid_until is None or now < benefit.valid_until
    )


def closed_words(benefit: Benefit, now: datetime) -> str:
    """Why nobody can claim or use the benefit now; empty when it is open."""
    if benefit.state == BenefitState.ACTIVE and is_open(benefit, now):
        return ""
    if benefit.state == BenefitState.ACTIVE and benefit.valid_from is not None and now < benefit.valid_from:
        return _("It begins on %(at)s.") % {"at": display.local(benefit.valid_from)}
    if benefit.state == BenefitState.DRAFT:
        return _("It has not begun yet.")
    return _("It has ended.")


def used_up(quota: int | None, renews_at: datetime | None) -> str:
    """That a quota is used up, and when it renews."""
    if renews_at is None:
        return _("Used up: %(quota)s of %(quota)s. There will be no more.") % {"quota": quota}
    return _("Used up: %(quota)s of %(quota)s. It renews on %(at)s.") % {
        "quota": quota, "at": display.local(renews_at),
    }  # fmt: skip
