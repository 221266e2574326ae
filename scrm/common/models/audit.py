from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models.functions import Now

from scrm.common.placement import Placement


class AuditEntry(models.Model):
    """One change or look, written by triggers and by `audit.record`; never altered."""

    placement = Placement.LOCAL

    at = models.DateTimeField(db_default=Now())
    actor = models.CharField(max_length=64)  # "user:7", "key:3", "system"
    action = models.CharField(max_length=32)  # insert, update, delete, reveal, export, login, …
    object_type = models.CharField(max_length=64)  # the table's name
    object_id = models.CharField(max_length=64, null=True)
    changes = models.JSONField(default=dict)  # field → [before, after]

    class Meta:
        indexes = [
            models.Index(fields=["object_type", "object_id", "-id"], name="audit_by_object"),
            models.Index(fields=["actor", "-id"], name="audit_by_actor"),
        ]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
        ]
