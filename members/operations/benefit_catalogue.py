"""The catalogue of benefits, who gets them, and the partners behind them. Each call is one transaction."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import F
from django.utils.translation import gettext as _

from members.enums import BenefitKind, BenefitState, QuotaPeriod
from members.models import Benefit, BenefitRule, BenefitStore, Partner, PointsCurrency, Store
from members.models.benefits import LARGEST_QUOTA
from members.operations import currencies
from members.queries import benefit_tiers
from members.rules import benefits as rules
from members.rules.benefits import BadParameter
from scrm.common import conditions
from scrm.common.errors import Conflict, Invalid, NotFound
from scrm.common.transactions import atomic

MOST_BENEFITS = 500
_KEY = re.compile(r"[a-z][a-z0-9_-]{0,39}")
ICONS = (
    "gift", "discount", "truck-delivery", "cake", "massage", "coins", "ticket", "star", "crown", "coffee", "heart",
    "headset",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RuleIn:
    """A rule: `tier` is a key, or empty for everybody; `quota` uses per `period`, None as often as they like."""

    tier: str = ""
    quota: int | None = None
    period: str = QuotaPeriod.MONTH.value


@dataclass(frozen=True, slots=True)
class Content:
    """Everything of a benefit that can be changed. Money in minor units, days in whole days."""

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)
    description: str = ""
    usage_rules: str = ""
    icon: str = "gift"
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    claimed_first: bool = True
    claim_days: int | None = None
    return_days: int = 7
    cost: int = 0
    partner_id: int | None = None
    condition: dict[str, Any] | None = None
    low_stock: int = 0
    store_ids: Sequence[int] = ()
    rules: Sequence[RuleIn] = ()


def create(*, key: str, kind: str, content: Content) -> Benefit:
    """A new benefit, as a draft.

    Raises `Invalid` (`bad_key`, `taken`, `too_many`, `unknown_kind`, and what is wrong with the content, its `field`
    naming what), `BadCondition`.
    """
    if not _KEY.fullmatch(key):
        raise Invalid(_("A key is up to 40 of a–z, 0–9, _ and -."), code="bad_key", field="key")
    if kind not in BenefitKind.values:
        raise Invalid(_("There is no such kind of benefit."), code="unknown_kind", field="kind")
    with atomic():
        if Benefit.objects.filter(key=key).exists():
            raise Invalid(_("This is already in use."), code="taken", field="key")
        if Benefit.objects.count() >= MOST_BENEFITS:
            raise Invalid(_("No more benefits."), code="too_many", field="key")
        values = _checked(kind, content)
        benefit = Benefit.objects.create(key=key, kind=kind, **values)
        _set_rules(benefit, content)
        return benefit


def change(*, benefit_id: int, content: Content, version: int | None = None, now: datetime) -> Benefit:
    """Change a benefit; its key and kind stay. What was claimed keeps its expiry and cost.

    `version`: the one that was read; raises `Conflict` (`changed`) when there is a newer one. Raises `NotFound`, and
    as `create` does.
    """
    with atomic():
        benefit = _locked(benefit_id)
        if version is not None and benefit.version != version:
            raise Conflict(_("Somebody else has changed it in the meantime."), code="changed", version=benefit.version)
        for name, value in _checked(benefit.kind, content).items():
            setattr(benefit, name, value)
        benefit.version, benefit.updated_at = benefit.version + 1, now
        benefit.save()
        _set_rules(benefit, content)
        return benefit


def restate(*, benefit_id: int, condition: Any, now: datetime) -> None:
    """Let the condition of a benefit say the same by another name: a tag that it names was merged into another.

    Not checked: what could not be read before is not the concern of whoever merged. Raises `NotFound`.
    """
    with atomic():
        benefit = _locked(benefit_id)
        benefit.condition, benefit.version, benefit.updated_at = condition, benefit.version + 1, now
        benefit.save(update_fields=["condition", "version", "updated_at"])


def activate(*, benefit_id: int, now: datetime) -> Benefit:
    """Put a benefit into use. Raises `NotFound`, `Conflict` (`no_rules`): nobody would get it."""
    with atomic():
        benefit = _locked(benefit_id)
        if not benefit.rules.exists():
            raise Conflict(_("Nobody gets it yet: say who and how often."), code="no_rules")
        return _move(benefit, BenefitState.ACTIVE, now)


def end(*, benefit_id: int, now: datetime) -> Benefit:
    """Take a benefit out of use: no new claims; what was claimed can be used until it lapses. Raises `NotFound`."""
    with atomic():
        return _move(_locked(benefit_id), BenefitState.ENDED, now)


def counted(kind: str, rule: RuleIn) -> RuleIn:
    """The rule as it counts for a kind: a birthday comes once a year, and a multiplier is not counted."""
    if kind == BenefitKind.BIRTHDAY_GIFT:
        return RuleIn(rule.tier, 1, QuotaPeriod.YEAR.value)
    return RuleIn(rule.tier, None, rule.period) if kind == BenefitKind.POINTS_MULTIPLIER else rule


def save_partner(
    *, partner_id: int | None, name: str, contact: str = "", terms: str = "", is_active: bool = True
) -> Partner:
    """A new partner, or a changed one. Raises `NotFound`, `Invalid` (`bad_name`, `taken`, `too_long`)."""
    name = name.strip()
    if not 1 <= len(name) <= 60 or not name.isprintable():
        raise Invalid(_("A name of 1 to 60 characters is needed."), code="bad_name", field="name")
    _check_text("contact", contact, 120)
    _check_text("terms", terms, 2_000)
    with atomic():
        partner = Partner()
        if partner_id is not None:
            found = Partner.objects.select_for_update().filter(pk=partner_id).first()
            if found is None:
                raise NotFound(_("There is no such partner."), code="unknown_partner")
            partner = found
        if Partner.objects.filter(name=name).exclude(pk=partner_id or 0).exists():
            raise Invalid(_("This is already in use."), code="taken", field="name")
        partner.name, partner.contact, partner.terms, partner.is_active = name, contact, terms, is_active
        partner.save()
        return partner


def _locked(benefit_id: int) -> Benefit:
    found = Benefit.objects.select_for_update().filter(pk=benefit_id).first() if 0 < benefit_id < 2**63 else None
    if found is None:
        raise NotFound(_("There is no such benefit."), code="unknown_benefit")
    return found


def _move(benefit: Benefit, state: BenefitState, now: datetime) -> Benefit:
    if benefit.state != state:
        Benefit.objects.filter(pk=benefit.pk).update(state=state, updated_at=now, version=F("version") + 1)
        benefit.refresh_from_db()
    return benefit


def _checked(kind: str, content: Content) -> dict[str, Any]:
    """The columns of a benefit. Raises `Invalid`, its `field` naming what is wrong."""
    name = content.name.strip()
    if not 1 <= len(name) <= 40 or not name.isprintable():
        raise Invalid(_("A name of 1 to 40 characters is needed."), code="bad_name", field="name")
    _check_text("description", content.description, 300)
    _check_text("usage_rules", content.usage_rules, 2_000)
    if content.icon not in ICONS:
        raise Invalid(_("There is no such picture."), code="unknown_icon", field="icon")
    ranges: dict[str, tuple[int, int]] = {"return_days": (0, 366), "cost": (0, 10**12), "low_stock": (0, 100_000)}
    if content.claim_days is not None:
        ranges["claim_days"] = (1, 3_660)
    for number, (low, high) in ranges.items():
        if not low <= getattr(content, number) <= high:
            raise Invalid(
                _("Between %(low)s and %(high)s.") % {"low": low, "high": high}, code="out_of_range", field=number
            )
    if content.valid_from and content.valid_until and content.valid_until <= content.valid_from:
        raise Invalid(_("It would end before it begins."), code="ends_early", field="valid_until")
    if content.partner_id is not None and not Partner.objects.filter(pk=content.partner_id).exists():
        raise Invalid(_("There is no such partner."), code="unknown_partner", field="partner")
    if content.condition is not None:
        conditions.parse(content.condition)
    return {
        "name": name, "parameters": _parameters(kind, content.parameters), "description": content.description.strip(),
        "usage_rules": content.usage_rules.strip(), "icon": content.icon, "valid_from": content.valid_from,
        "valid_until": content.valid_until, "claim_days": content.claim_days, "return_days": content.return_days,
        "cost": content.cost, "partner_id": content.partner_id, "condition": content.condition,
        "low_stock": content.low_stock,
        # A code is given to somebody, a gift is too; what multiplies points is there by itself.
        "claimed_first": kind in (BenefitKind.PARTNER_CODE, BenefitKind.BIRTHDAY_GIFT)
        or (content.claimed_first and kind != BenefitKind.POINTS_MULTIPLIER),
    }  # fmt: skip


def _parameters(kind: str, given: Any) -> dict[str, Any]:
    words = {
        "missing": _("This is needed."),
        "unknown": _("A benefit of this kind has no such parameter."),
        "wrong_type": _("Not a valid value."),
        "out_of_range": _("Out of range."),
        "either": _("Either per cent or an amount."),
    }
    try:
        read = rules.read_parameters(kind, given)
    except BadParameter as error:
        raise Invalid(words[error.code], code=f"parameter_{error.code}", field=f"parameters.{error.name}") from error
    currency = read.get("currency")
    if (
        currency is not None
        and currency not in (currencies.POINTS, currencies.GROWTH)
        and not PointsCurrency.objects.filter(key=currency).exists()
    ):
        raise Invalid(_("There is no such kind of points."), code="unknown_currency", field="parameters.currency")
    return read


def _set_rules(benefit: Benefit, content: Content) -> None:
    """Replace what differs. Raises `Invalid`, naming the rule."""
    tiers = benefit_tiers.names()
    wanted: dict[str, RuleIn] = {}
    known = set(benefit.rules.values_list("tier", flat=True))
    for place, rule in enumerate(content.rules):
        where = f"rules[{place}]"
        if rule.tier and rule.tier not in tiers and rule.tier not in known:
            raise Invalid(_("There is no such tier."), code="unknown_tier", field=f"{where}.tier")
        if rule.tier in wanted:
            raise Invalid(_("One rule for each tier."), code="tier_twice", field=f"{where}.tier")
        if rule.period not in QuotaPeriod.values:
            raise Invalid(_("There is no such period."), code="unknown_period", field=f"{where}.period")
        if rule.quota is not None and not 1 <= rule.quota <= LARGEST_QUOTA:
            raise Invalid(
                _("Between %(low)s and %(high)s.") % {"low": 1, "high": LARGEST_QUOTA},
                code="out_of_range", field=f"{where}.quota",
            )  # fmt: skip
        if not rule.tier and rule.period == QuotaPeriod.TIER_CYCLE:
            raise Invalid(
                _("A tier cycle needs a tier."), code="cycle_needs_tier", field=f"{where}.period"
            )  # fmt: skip
        wanted[rule.tier] = counted(benefit.kind, rule)
    benefit.rules.exclude(tier__in=wanted).delete()
    for rule in wanted.values():
        BenefitRule.objects.update_or_create(
            benefit=benefit, tier=rule.tier, defaults={"quota": rule.quota, "period": rule.period}
        )
    if benefit.state == BenefitState.ACTIVE and not wanted:
        raise Conflict(_("Nobody would get it any more: end it instead."), code="no_rules")
    _set_stores(benefit, content.store_ids)


def _set_stores(benefit: Benefit, store_ids: Sequence[int]) -> None:
    wanted = set(store_ids)
    if Store.objects.filter(pk__in=wanted).count() != len(wanted):
        raise Invalid(_("There is no such store."), code="unknown_store", field="stores")
    benefit.stores.exclude(store_id__in=wanted).delete()
    there = set(benefit.stores.values_list("store_id", flat=True))
    for store_id in sorted(wanted - there):
        BenefitStore.objects.create(benefit=benefit, store_id=store_id)


def _check_text(name: str, text: str, longest: int) -> None:
    if len(text) > longest or "\x00" in text:
        raise Invalid(_("At most %(count)s characters.") % {"count": longest}, code="too_long", field=name)
