from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from campaigns.enums import ChannelKind
from scrm.common.audit import audited
from scrm.common.placement import Placement


class ChannelAccount(models.Model):
    """A configured provider account. `sealed` holds its secrets as sealed JSON."""

    placement = Placement.REFERENCE

    name = models.CharField(max_length=60, unique=True)
    channel = models.CharField(max_length=16, choices=ChannelKind)
    settings = models.JSONField(default=dict)  # host, port, sender, …: nothing secret
    sealed = models.BinaryField(null=True, blank=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        triggers = [audited()]

    def __str__(self) -> str:
        return self.name


class SandboxMessage(models.Model):
    """What the sandbox provider "received": shown on a page instead of being sent to anybody."""

    placement = Placement.MEMBER

    id = models.UUIDField(primary_key=True, db_default=models.Func(function="uuidv7"))
    member = models.ForeignKey("members.Member", models.CASCADE, related_name="+", db_constraint=False, db_index=False)
    # The sender's id of the message: a provider that deduplicates takes it once.
    message_id = models.UUIDField()
    subject = models.CharField(max_length=200, blank=True)
    body = models.TextField()
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message_id", "member"], name="sandbox_message_once")]
