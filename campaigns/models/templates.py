from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from campaigns.enums import ChannelKind
from scrm.common.audit import audited
from scrm.common.placement import Placement


class MessageTemplate(models.Model):
    """What a message says, with member fields; an allow-listed Liquid-like subset (campaigns/rules/content.py)."""

    placement = Placement.REFERENCE

    name = models.CharField(max_length=60, unique=True)
    channel = models.CharField(max_length=16, choices=ChannelKind)
    subject = models.CharField(max_length=200, blank=True)
    body = models.TextField(max_length=20_000)
    version = models.PositiveIntegerField(default=1)
    created_by = models.ForeignKey("common.User", models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        triggers = [audited()]

    def __str__(self) -> str:
        return self.name
