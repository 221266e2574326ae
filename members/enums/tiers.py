from __future__ import annotations

from django.db import models
from django.utils.translation import pgettext_lazy


class TierBasis(models.TextChoices):
    """What a tier is earned by."""

    GROWTH = "growth", pgettext_lazy("tier basis", "Growth")
    SPEND = "spend", pgettext_lazy("tier basis", "Net amount paid")
    ORDERS = "orders", pgettext_lazy("tier basis", "Number of orders")


class TierWindow(models.TextChoices):
    """Over what it is added up."""

    LIFETIME = "lifetime", pgettext_lazy("tier window", "All time")
    CALENDAR = "calendar", pgettext_lazy("tier window", "The current period of the calendar")
    ROLLING = "rolling", pgettext_lazy("tier window", "The last N months")
    ANNIVERSARY = "anniversary", pgettext_lazy("tier window", "The year of membership")


class TierPeriod(models.TextChoices):
    MONTH = "month", pgettext_lazy("tier period", "Calendar month")
    QUARTER = "quarter", pgettext_lazy("tier period", "Calendar quarter")
    HALF = "half", pgettext_lazy("tier period", "Half of a calendar year")
    YEAR = "year", pgettext_lazy("tier period", "Calendar year")


class TierStart(models.TextChoices):
    AT_ONCE = "at_once", pgettext_lazy("tier start", "At once")
    NEXT_PERIOD = "next_period", pgettext_lazy("tier start", "When the next period begins")


class TierValidity(models.TextChoices):
    FOREVER = "forever", pgettext_lazy("tier validity", "For good")
    PERIOD_END = "period_end", pgettext_lazy("tier validity", "Until the end of the period")
    NEXT_PERIOD_END = "next_period_end", pgettext_lazy("tier validity", "Until the end of the next period")
    MONTHS = "months", pgettext_lazy("tier validity", "N months")


class TierDowngrade(models.TextChoices):
    """What becomes of a tier that expires without having been kept."""

    KEEP = "keep", pgettext_lazy("tier downgrade", "It is kept all the same")
    ONE = "one", pgettext_lazy("tier downgrade", "One level down")
    EARNED = "earned", pgettext_lazy("tier downgrade", "Down to the level earned")


class TierOnRefund(models.TextChoices):
    """What a refund does that takes away what a tier was earned by."""

    KEEP = "keep", pgettext_lazy("tier on refund", "The tier stays until it expires")
    AT_ONCE = "at_once", pgettext_lazy("tier on refund", "The tier goes at once")


class TierSource(models.TextChoices):
    EARNED = "earned", pgettext_lazy("tier source", "Earned")
    PAID = "paid", pgettext_lazy("tier source", "Paid membership")
    HAND = "hand", pgettext_lazy("tier source", "Set by hand")


class TierMoveKind(models.TextChoices):
    INTRODUCED = "introduced", pgettext_lazy("tier move", "Placed when the ladder was introduced")
    UPGRADED = "upgraded", pgettext_lazy("tier move", "Upgraded")
    DOWNGRADED = "downgraded", pgettext_lazy("tier move", "Downgraded")
    RETAINED = "retained", pgettext_lazy("tier move", "Kept")


class TierReason(models.TextChoices):
    """Why a tier moved."""

    REACHED = "reached", pgettext_lazy("tier reason", "Reached the threshold")
    LATE = "late", pgettext_lazy("tier reason", "Facts that came late had earned it")
    RETENTION = "retention", pgettext_lazy("tier reason", "Reached what keeps the tier")
    POLICY = "policy", pgettext_lazy("tier reason", "Expired; the ladder takes nothing away")
    EXPIRED = "expired", pgettext_lazy("tier reason", "Expired without reaching what keeps the tier")
    REFUND = "refund", pgettext_lazy("tier reason", "A refund took away what it was earned by")
    HAND = "hand", pgettext_lazy("tier reason", "Set by hand")
    HAND_ENDED = "hand_ended", pgettext_lazy("tier reason", "What was set by hand has ended")
    PAID = "paid", pgettext_lazy("tier reason", "Bought a membership")
    PAID_ENDED = "paid_ended", pgettext_lazy("tier reason", "The paid membership has ended")


class MembershipState(models.TextChoices):
    ACTIVE = "active", pgettext_lazy("membership", "Running")
    ENDED = "ended", pgettext_lazy("membership", "Ended")
    REFUNDED = "refunded", pgettext_lazy("membership", "Refunded")
