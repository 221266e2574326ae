from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from members.enums import ImportKind
from scrm.common.audit import audited
from scrm.common.placement import Placement


class ImportMapping(models.Model):
    """How a file's columns become fields, kept under a name for the next file of the same shape."""

    placement = Placement.LOCAL

    name = models.CharField(max_length=60, unique=True)
    kind = models.CharField(max_length=8, choices=ImportKind)
    source_key = models.CharField(max_length=40)
    definition = models.JSONField()  # see members/rules/mappings.py
    built_in = models.BooleanField(default=False)
    created_by = models.ForeignKey("common.User", models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        triggers = [audited()]
        constraints = [models.CheckConstraint(condition=models.Q(kind__in=ImportKind.values), name="import_kind_known")]

    def __str__(self) -> str:
        return self.name
