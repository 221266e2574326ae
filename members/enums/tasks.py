from __future__ import annotations

from django.db import models
from django.utils.translation import pgettext_lazy


class TaskState(models.TextChoices):
    """Facts count while a task is active; what was counted is undone in every state."""

    DRAFT = "draft", pgettext_lazy("task", "Draft")
    ACTIVE = "active", pgettext_lazy("task", "Active")
    PAUSED = "paused", pgettext_lazy("task", "Paused")
    ENDED = "ended", pgettext_lazy("task", "Ended")


class TaskKind(models.TextChoices):
    """What counts for a task."""

    EVENT = "event", pgettext_lazy("task", "Events")
    ORDER = "order", pgettext_lazy("task", "Paid orders")
    PROFILE = "profile", pgettext_lazy("task", "A complete profile")
    CHECKIN = "checkin", pgettext_lazy("task", "Check-ins")


class TaskMeasure(models.TextChoices):
    """How what counts adds up."""

    COUNT = "count", pgettext_lazy("task", "How many")
    SUM = "sum", pgettext_lazy("task", "Their amount")
    DAYS = "days", pgettext_lazy("task", "On how many different days")
    STREAK = "streak", pgettext_lazy("task", "On how many days in a row")


class TaskWindow(models.TextChoices):
    """Within which time a task has to be done. Days, weeks (from Monday) and months are those of the shop."""

    WHOLE = "whole", pgettext_lazy("task", "The whole time")
    DAY = "day", pgettext_lazy("task", "Each day")
    WEEK = "week", pgettext_lazy("task", "Each week")
    MONTH = "month", pgettext_lazy("task", "Each month")
    ROLLING = "rolling", pgettext_lazy("task", "Any N days")


class TaskClaim(models.TextChoices):
    """How the reward of a task that was done is given."""

    AUTOMATIC = "auto", pgettext_lazy("task", "At once")
    BY_MEMBER = "member", pgettext_lazy("task", "When the member claims it")
