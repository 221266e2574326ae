from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Choice(models.TextChoices):
    SINGLE = "single", _("One tag of the group")
    MULTIPLE = "multiple", _("Any number of tags")


class TagKind(models.TextChoices):
    MANUAL = "manual", _("Manual")
    RULE = "rule", _("By rule")
    EVENT = "event", _("By event or keyword")
    MODEL = "model", _("By model")


class RuleForm(models.TextChoices):
    """How the operator wrote a tag rule; all of them are conditions of the one language in the end."""

    CONDITION = "condition", _("Condition")
    KEYWORD = "keyword", _("Event or keyword")
    INTEREST = "interest", _("Interest that fades")


class RuleState(models.TextChoices):
    DRAFT = "draft", pgettext_lazy("tag rule", "Draft")
    ENABLED = "enabled", pgettext_lazy("tag rule", "Enabled")
    PAUSED = "paused", pgettext_lazy("tag rule", "Paused")
    BROKEN = "broken", pgettext_lazy("tag rule", "Broken")


class WatchKind(models.TextChoices):
    """What follows when a member begins or ceases to fulfil a watched condition."""

    TAG = "tag", _("Put on and take off a tag")
    SEGMENT = "segment", _("Enter and leave a segment")


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
    IMPORTED = "imported", _("Imported list")


# Lists to which members are added and from which they are removed one by one.
LISTS = (SegmentKind.STATIC, SegmentKind.IMPORTED)
