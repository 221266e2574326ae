from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Choice(models.TextChoices):
    SINGLE = "single", _("One tag of the group")
    MULTIPLE = "multiple", _("Any number of tags")


class TagKind(models.TextChoices):
    MANUAL = "manual", _("Manual")
    RULE = "rule", _("By rule")
    EVENT = "event", _("By event or keyword")
    MODEL = "model", _("By model")


class Colour(models.TextChoices):
    GREY = "secondary", _("Grey")
    BLUE = "blue", _("Blue")
    GREEN = "green", _("Green")
    YELLOW = "yellow", _("Yellow")
    ORANGE = "orange", _("Orange")
    RED = "red", _("Red")
    PINK = "pink", _("Pink")
    PURPLE = "purple", _("Purple")
    TEAL = "teal", _("Teal")


class SegmentKind(models.TextChoices):
    DYNAMIC = "dynamic", _("Dynamic")
    SNAPSHOT = "snapshot", _("Snapshot")
    STATIC = "static", _("Static list")
