from __future__ import annotations

import pgtrigger
from django.db import models

from members.models.points import PointsCurrency
from scrm.common.placement import Placement


class PointsMove(models.Model):
    """A member's whole ledger, in every currency, moved to another member: what a merge does. Can be undone."""

    placement = Placement.MEMBER

    member = models.ForeignKey("members.Member", models.PROTECT, related_name="+", db_index=False)  # whose it was
    to_member = models.ForeignKey("members.Member", models.PROTECT, related_name="+", db_index=False)
    actor = models.CharField(max_length=40)
    moved_at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["member"], condition=models.Q(undone_at__isnull=True), name="points_moved_once"
            ),
            models.CheckConstraint(condition=~models.Q(member=models.F("to_member")), name="points_moved_elsewhere"),
        ]
        indexes = [
            models.Index(fields=["member"], name="points_moved_from"),
            models.Index(fields=["to_member"], name="points_moved_to"),
        ]


class PointsMoveStep(models.Model):
    """One row of a move: `amount` points of a lot that became another lot, or of arrears when no lot is named.

    `entry` is the last that left the old account for it, `to_entry` the one that entered the new one. Append-only.
    """

    placement = Placement.MEMBER

    pk = models.CompositePrimaryKey("member_id", "currency_id", "entry")
    member = models.ForeignKey(
        "members.Member", models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    currency = models.ForeignKey(
        PointsCurrency, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    entry = models.BigIntegerField()
    move = models.ForeignKey(PointsMove, models.PROTECT, related_name="steps")
    lot = models.BigIntegerField(null=True)
    to_lot = models.BigIntegerField(null=True)
    amount = models.BigIntegerField()
    to_entry = models.BigIntegerField()

    class Meta:
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(amount__gte=1)
                & (models.Q(lot__isnull=True, to_lot__isnull=True) | models.Q(lot__isnull=False, to_lot__isnull=False)),
                name="points_move_step_whole",
            ),
        ]
