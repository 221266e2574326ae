from __future__ import annotations

from django.db import models
from django.utils.translation import pgettext_lazy


class BenefitKind(models.TextChoices):
    DISCOUNT = "discount", pgettext_lazy("benefit", "Discount")
    FREE_SHIPPING = "free_shipping", pgettext_lazy("benefit", "Free shipping")
    BIRTHDAY_GIFT = "birthday_gift", pgettext_lazy("benefit", "Birthday gift")
    SERVICE = "service", pgettext_lazy("benefit", "Service")
    POINTS_MULTIPLIER = "points_multiplier", pgettext_lazy("benefit", "Points multiplier")
    PARTNER_CODE = "partner_code", pgettext_lazy("benefit", "Partner code")
    OTHER = "other", pgettext_lazy("benefit", "Something else")


class BenefitState(models.TextChoices):
    DRAFT = "draft", pgettext_lazy("benefit state", "Draft")
    ACTIVE = "active", pgettext_lazy("benefit state", "Active")
    ENDED = "ended", pgettext_lazy("benefit state", "Ended")


class QuotaPeriod(models.TextChoices):
    """What a quota is counted in: the shop's calendar, the member's tier cycle, or once and for all."""

    DAY = "day", pgettext_lazy("quota", "a day")
    WEEK = "week", pgettext_lazy("quota", "a week")
    MONTH = "month", pgettext_lazy("quota", "a month")
    QUARTER = "quarter", pgettext_lazy("quota", "a quarter")
    YEAR = "year", pgettext_lazy("quota", "a year")
    TIER_CYCLE = "tier_cycle", pgettext_lazy("quota", "a tier cycle")
    EVER = "ever", pgettext_lazy("quota", "in all")


class ClaimState(models.TextChoices):
    CLAIMED = "claimed", pgettext_lazy("claim", "To be used")
    REDEEMED = "redeemed", pgettext_lazy("claim", "Used")
    EXPIRED = "expired", pgettext_lazy("claim", "Expired")
    VOIDED = "voided", pgettext_lazy("claim", "Voided")
    RETURNED = "returned", pgettext_lazy("claim", "Use taken back")


class ClaimSource(models.TextChoices):
    """How a member came to a claim."""

    CLAIM = "claim", pgettext_lazy("claim", "Claimed")
    USE = "use", pgettext_lazy("claim", "Used without a claim")
    ISSUE = "issue", pgettext_lazy("claim", "Given by staff")
    REWARD = "reward", pgettext_lazy("claim", "Reward")
    BIRTHDAY = "birthday", pgettext_lazy("claim", "Birthday")


class CodeState(models.TextChoices):
    """Where a partner's code stands. One that somebody has seen is never given to anybody else."""

    FREE = "free", pgettext_lazy("partner code", "In stock")
    GIVEN = "given", pgettext_lazy("partner code", "Given out")
    WITHDRAWN = "withdrawn", pgettext_lazy("partner code", "Withdrawn")
