from __future__ import annotations

import pgtrigger
from django.db import models

from members.enums import Channel, ConsentState, Purpose
from scrm.common.placement import Placement


class ConsentEntry(models.Model):
    """One thing a member said about being contacted. Append-only; the latest entry counts."""

    placement = Placement.MEMBER

    id = models.UUIDField(primary_key=True, db_default=models.Func(function="uuidv7"))
    member = models.ForeignKey("members.Member", models.PROTECT, related_name="+", db_index=False)
    channel = models.CharField(max_length=16, choices=Channel)
    purpose = models.CharField(max_length=16, choices=Purpose)
    state = models.CharField(max_length=12, choices=ConsentState)
    at = models.DateTimeField()
    source = models.CharField(max_length=40)
    evidence = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes = [models.Index(fields=["member", "channel", "purpose", "-at"], name="consent_entry_of_member")]
        constraints = [
            models.CheckConstraint(condition=models.Q(channel__in=Channel.values), name="consent_entry_channel_known"),
            models.CheckConstraint(condition=models.Q(state__in=ConsentState.values), name="consent_entry_state_known"),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]


class Consent(models.Model):
    """The entry that counts now, per channel and purpose. No row means never asked: not reachable for marketing."""

    placement = Placement.MEMBER

    pk = models.CompositePrimaryKey("member_id", "channel", "purpose")
    member = models.ForeignKey("members.Member", models.CASCADE, related_name="consents", db_index=False)
    channel = models.CharField(max_length=16, choices=Channel)
    purpose = models.CharField(max_length=16, choices=Purpose)
    state = models.CharField(max_length=12, choices=ConsentState)
    at = models.DateTimeField()
