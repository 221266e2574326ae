from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class RewardKind(models.TextChoices):
    """What a reward is: points of a currency, a benefit of the catalogue, or something that another part fulfils."""

    POINTS = "points", pgettext_lazy("reward", "Points")
    BENEFIT = "benefit", pgettext_lazy("reward", "Benefit")
    GRANT = "grant", pgettext_lazy("reward", "Coupon, lottery chance …")


class GrantItem(models.TextChoices):
    """What a grant is of."""

    COUPON = "coupon", _("Coupon")
    LOTTERY_DRAW = "lottery_draw", _("Lottery chance")


class GrantState(models.TextChoices):
    OPEN = "open", pgettext_lazy("grant", "To be given")
    FULFILLED = "fulfilled", pgettext_lazy("grant", "Given")
    CANCELLED = "cancelled", pgettext_lazy("grant", "Cancelled")
    RECALLED = "recalled", pgettext_lazy("grant", "To be taken back")
