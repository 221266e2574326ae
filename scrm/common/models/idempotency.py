from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from scrm.common.placement import Placement


class IdempotencyRecord(models.Model):
    """The answer that a request with an `Idempotency-Key` got, stored in the transaction of its effect. Kept 24 h."""

    placement = Placement.LOCAL

    actor = models.CharField(max_length=64)
    key = models.CharField(max_length=255)
    method_path = models.CharField(max_length=255)
    body_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    answer = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["actor", "key"], name="idempotency_once")]
        indexes = [models.Index(fields=["created_at"], name="idempotency_age")]
