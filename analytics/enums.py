from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class RunState(models.TextChoices):
    AGGREGATING = "aggregating", _("Adding up orders")
    PUBLISHING = "publishing", _("Publishing")
    PUBLISHED = "published", _("Published")
    FAILED = "failed", _("Failed")


class RfmClass(models.TextChoices):
    """The eight classes: R, F and M each high or low against the middle."""

    CHAMPION = "important_value", _("Important value")
    DEVELOP = "important_develop", _("Important to develop")
    KEEP = "important_keep", _("Important to keep")
    WIN_BACK = "important_win_back", _("Important to win back")
    GENERAL_VALUE = "general_value", _("General value")
    GENERAL_DEVELOP = "general_develop", _("General to develop")
    GENERAL_KEEP = "general_keep", _("General to keep")
    GENERAL_WIN_BACK = "general_win_back", _("General to win back")


class RfmLayer(models.TextChoices):
    """The eleven named layers; the first that matches wins."""

    CHAMPIONS = "champions", _("Champions")
    LOYAL = "loyal", _("Loyal")
    POTENTIAL_LOYALIST = "potential_loyalist", _("Potential loyalists")
    NEW = "new", _("New customers")
    PROMISING = "promising", _("Promising")
    NEED_ATTENTION = "need_attention", _("Need attention")
    ABOUT_TO_SLEEP = "about_to_sleep", _("About to sleep")
    CANNOT_LOSE = "cannot_lose", _("Cannot lose them")
    AT_RISK = "at_risk", _("At risk")
    HIBERNATING = "hibernating", _("Hibernating")
    LOST = "lost", _("Lost")
    PROSPECT = "prospect", _("Prospects")


class Stage(models.TextChoices):
    PROSPECT = "prospect", _("Prospect")
    NEW = "new", _("New customer")
    ACTIVE = "active", pgettext_lazy("lifecycle stage", "Active")
    SLEEPING = "sleeping", _("Sleeping")
    LOST = "lost", _("Lost")
    RETURNED = "returned", _("Returned")


class AiplStage(models.TextChoices):
    AWARENESS = "awareness", _("Awareness")
    INTEREST = "interest", _("Interest")
    PURCHASE = "purchase", _("Purchase")
    LOYALTY = "loyalty", _("Loyalty")


class ModelKey(models.TextChoices):
    """What is concluded about members from what they do."""

    PRICE = "price", _("Price sensitivity")
    CATEGORY = "category", _("Category preference")
    HOUR = "hour", _("Best contact hour")
    CHANNEL = "channel", _("Channel preference")
    PROMOTION = "promotion", _("Promotion sensitivity")
    CHURN = "churn", _("Churn risk")


class AlertPart(models.TextChoices):
    """What an alert rule watches."""

    CLASS = "class", _("RFM class")
    LAYER = "layer", _("RFM layer")
    STAGE = "stage", _("Lifecycle stage")
    AIPL = "aipl", _("AIPL stage")


class AlertDirection(models.TextChoices):
    SHRINKS = "shrinks", _("Shrinks")
    GROWS = "grows", _("Grows")
    CHANGES = "changes", _("Grows or shrinks")


class AlertAgainst(models.TextChoices):
    FORMER = "former", _("The run before")
    WEEK = "week", _("7 days before")
    MONTH = "month", _("30 days before")
