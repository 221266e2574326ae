from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from scrm.common.placement import Placement


class Notification(models.Model):
    """Something a console user should know: a finished job, a stopped campaign."""

    placement = Placement.LOCAL

    user = models.ForeignKey("common.User", models.CASCADE, related_name="+")
    level = models.CharField(max_length=8, default="info")  # info, success, warning, danger
    # An English msgid and its values, so that each reader sees it in their own language.
    message = models.CharField(max_length=200)
    values = models.JSONField(default=dict)
    url = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    read_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["user", "-id"], name="notification_of_user")]
