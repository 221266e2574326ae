from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from members.enums import IdentityKind
from scrm.common.placement import Placement


class Identity(models.Model):
    """One way of recognising a member. `value` is the normalised value, or its blind index for personal kinds."""

    placement = Placement.LOOKUP

    kind = models.CharField(max_length=16, choices=IdentityKind)
    value = models.CharField(max_length=160)
    # Personal kinds only: the value as it was given, encrypted (scrm.common.encryption).
    sealed = models.BinaryField(null=True)
    member = models.ForeignKey("members.Member", models.PROTECT, related_name="identities")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "value"], name="identity_once"),
            models.CheckConstraint(condition=models.Q(kind__in=IdentityKind.values), name="identity_kind_known"),
            models.CheckConstraint(
                condition=models.Q(kind__in=["phone", "email"], sealed__isnull=False)
                | (~models.Q(kind__in=["phone", "email"]) & models.Q(sealed=None)),
                name="identity_personal_is_sealed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}:{self.pk}"


class MergeCandidate(models.Model):
    """Two members that one fact named together: the evidence that they may be one person."""

    placement = Placement.LOCAL

    first = models.ForeignKey("members.Member", models.CASCADE, related_name="+")  # the smaller id
    second = models.ForeignKey("members.Member", models.CASCADE, related_name="+")
    evidence = models.JSONField()  # {"source": …, "message_id": …, "identities": [[kind, member id], …]}
    strong = models.BooleanField()
    created_at = models.DateTimeField(db_default=Now())
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["first", "second"], name="merge_candidate_once"),
            models.CheckConstraint(condition=models.Q(first__lt=models.F("second")), name="merge_candidate_ordered"),
        ]
