from __future__ import annotations

from django.db import models
from django.db.models.functions import Cast, ExtractDay, ExtractMonth, Now

from members.enums import Gender, MemberStatus
from scrm.common.audit import audited
from scrm.common.placement import Placement


class Member(models.Model):
    """A person known to the brand. Ids are dense: they index bitmaps."""

    placement = Placement.MEMBER

    status = models.CharField(max_length=8, choices=MemberStatus, default=MemberStatus.ACTIVE)
    name = models.CharField(max_length=60, blank=True)
    gender = models.CharField(max_length=1, choices=Gender, default=Gender.UNKNOWN, blank=True)
    birth_on = models.DateField(null=True)
    province = models.CharField(max_length=40, blank=True)
    city = models.CharField(max_length=40, blank=True)
    country = models.CharField(max_length=60, blank=True)
    language = models.CharField(max_length=8, blank=True)
    time_zone = models.CharField(max_length=40, blank=True)
    # Enough to recognise a person by, never enough to call them; the full values are sealed in Identity.
    phone_masked = models.CharField(max_length=24, blank=True)
    email_masked = models.CharField(max_length=80, blank=True)
    store = models.ForeignKey("members.Store", models.PROTECT, null=True, related_name="+", db_index=False)
    owner = models.ForeignKey("members.Staff", models.SET_NULL, null=True, related_name="+", db_index=False)
    source = models.ForeignKey("members.Source", models.PROTECT, null=True, related_name="+", db_index=False)
    attributes = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    joined_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    merged_into = models.ForeignKey("self", models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        # Created by the thousand: an insert is a fact of the intake, a change is what the audit log is for.
        triggers = [audited(insert=False)]
        constraints = [
            models.CheckConstraint(condition=models.Q(status__in=MemberStatus.values), name="member_status_known"),
            models.CheckConstraint(condition=models.Q(gender__in=["", "f", "m"]), name="member_gender_known"),
            models.CheckConstraint(
                condition=models.Q(status="merged", merged_into__isnull=False)
                | (~models.Q(status="merged") & models.Q(merged_into=None)),
                name="member_merged_has_survivor",
            ),
        ]
        indexes = [
            models.Index(fields=["-joined_at", "-id"], name="member_by_joined"),
            models.Index(fields=["store", "-id"], name="member_by_store"),
            models.Index(fields=["owner", "-id"], condition=models.Q(owner__isnull=False), name="member_by_owner"),
            models.Index(fields=["city", "-id"], name="member_by_city"),
            # The day of the year, as conditions compare it: 1231.
            models.Index(
                Cast(ExtractMonth("birth_on") * 100 + ExtractDay("birth_on"), models.IntegerField()),
                condition=models.Q(birth_on__isnull=False),
                name="member_by_birthday",
            ),
            models.Index(fields=["name", "id"], name="member_by_name", opclasses=["varchar_pattern_ops", "int8_ops"]),
        ]

    def __str__(self) -> str:
        return self.name or self.phone_masked or f"#{self.pk}"


class MemberSummary(models.Model):
    """What a member's facts add up to, kept by the intake in the transaction that lands them.

    Amounts are minor units. An order counts when it is paid and not refunded whole; refunds without an order
    reduce `net_amount` and `refund_amount` only. Rebuildable from orders, refunds and events.
    """

    placement = Placement.MEMBER

    member = models.OneToOneField(Member, models.CASCADE, primary_key=True, related_name="summary")
    order_count = models.IntegerField(default=0, db_default=0)
    gross_amount = models.BigIntegerField(default=0, db_default=0)
    refund_amount = models.BigIntegerField(default=0, db_default=0)
    net_amount = models.BigIntegerField(default=0, db_default=0)
    first_order_at = models.DateTimeField(null=True)
    last_order_at = models.DateTimeField(null=True)
    event_count = models.IntegerField(default=0, db_default=0)
    last_event_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["-net_amount", "-member"], name="summary_by_net"),
            models.Index(fields=["-order_count", "-member"], name="summary_by_orders"),
            models.Index(
                models.F("last_order_at").desc(nulls_last=True),
                models.F("member").desc(),
                name="summary_by_last_order",
            ),
        ]
