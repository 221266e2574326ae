from __future__ import annotations

from django.db import models
from django.utils.translation import pgettext_lazy


class EarningTrigger(models.TextChoices):
    """What a rule gives points for."""

    ORDER = "order", pgettext_lazy("earning rule", "Orders")
    EVENT = "event", pgettext_lazy("earning rule", "Events")


class EarningState(models.TextChoices):
    """Whether a rule counts: from activating to ending, but for pauses."""

    DRAFT = "draft", pgettext_lazy("earning rule", "Draft")
    ACTIVE = "active", pgettext_lazy("earning rule", "Active")
    PAUSED = "paused", pgettext_lazy("earning rule", "Paused")
    ENDED = "ended", pgettext_lazy("earning rule", "Ended")
