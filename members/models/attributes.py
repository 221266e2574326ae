from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from members.enums import AttributeType
from scrm.common.audit import audited
from scrm.common.placement import Placement


class Attribute(models.Model):
    """A field of the brand's own on the member's profile; its values stand in `Member.attributes` under `key`."""

    placement = Placement.REFERENCE

    key = models.CharField(max_length=40, unique=True)
    label = models.CharField(max_length=40)
    type = models.CharField(max_length=8, choices=AttributeType)
    choices = models.JSONField(default=list)  # of type choice: the values, in order
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        triggers = [audited()]
        constraints = [
            models.CheckConstraint(condition=models.Q(type__in=AttributeType.values), name="attribute_type_known")
        ]

    def __str__(self) -> str:
        return self.label
