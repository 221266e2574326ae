from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from members.enums import GrantItem, GrantState
from scrm.common.audit import audited
from scrm.common.placement import Placement


class Grant(models.Model):
    """A reward that another part of the product fulfils (a coupon, a lottery chance): written here, given there, once.

    `reference` tells the giving apart, so that giving twice writes one row. `source` is what it was given for: taking
    back goes by it. A grant taken back before it was fulfilled is cancelled; afterwards it is recalled, and whoever
    fulfilled it takes back what is left.
    """

    placement = Placement.MEMBER

    id = models.UUIDField(primary_key=True, db_default=models.Func(function="uuidv7"))
    member = models.ForeignKey("members.Member", models.PROTECT, related_name="+", db_index=False)
    item = models.CharField(max_length=16, choices=GrantItem)
    key = models.CharField(max_length=64)  # which coupon template, which lottery
    quantity = models.IntegerField()
    reference = models.CharField(max_length=120)
    source = models.CharField(max_length=80)
    reason = models.CharField(max_length=200, blank=True, db_default="")
    state = models.CharField(max_length=9, choices=GrantState, db_default=GrantState.OPEN)
    created_at = models.DateTimeField(db_default=Now())
    settled_at = models.DateTimeField(null=True)

    class Meta:
        # Written by the thousand; what happens to one afterwards is what the audit log is for.
        triggers = [audited(insert=False)]
        constraints = [
            models.UniqueConstraint(fields=["member", "reference"], name="grant_once"),
            models.CheckConstraint(condition=models.Q(item__in=GrantItem.values), name="grant_item_known"),
            models.CheckConstraint(condition=models.Q(state__in=GrantState.values), name="grant_state_known"),
            models.CheckConstraint(condition=models.Q(quantity__gte=1, quantity__lte=1_000), name="grant_quantity"),
            models.CheckConstraint(
                condition=models.Q(state="open", settled_at=None)
                | (~models.Q(state="open") & models.Q(settled_at__isnull=False)),
                name="grant_settled_has_time",
            ),
        ]
        indexes = [
            models.Index(fields=["item", "id"], condition=models.Q(state__in=["open", "recalled"]), name="grant_due"),
            models.Index(fields=["member", "source"], name="grant_of_source"),
        ]
